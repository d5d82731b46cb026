package simulate

import (
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// scripts decide what the containers do, from the step and the run of their Job. They
// know a Job by its name, since others may remove labels of a pod.
type scripts struct {
	mu    sync.Mutex
	jobs  map[string]scripted
	tries map[string]int // instances of a main container that began, by Job and index
}

type scripted struct {
	step *Step
	run  int
}

// know is called when a Job is created, before any pod of it exists.
func (s *scripts) know(job string, step *Step, run int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[job] = scripted{step, run}
}

// script is containers.Scripts.Default.
func (s *scripts) script(spec containers.Spec) (containers.Script, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := spec.Pod.Labels[batchv1.JobNameLabel]
	job, ok := s.jobs[name]
	switch {
	case !ok || spec.Role == containers.RoleSidecar:
		return containers.Script{}, false
	case spec.Role == containers.RoleInit:
		return containers.Script{Run: time.Second}, true
	case spec.Container.Name == proxy:
		return containers.Script{Run: 2 * time.Minute}, true
	}
	key := name + "/" + spec.Pod.Annotations[batchv1.JobCompletionIndexAnnotation]
	n := s.tries[key]
	s.tries[key] = n + 1
	tries := job.step.Runs[min(job.run, len(job.step.Runs)-1)]
	try := tries[min(n, len(tries)-1)]
	exit := containers.Exit{Code: try.Code}
	if try.OOM {
		exit = containers.OOMKilled
	}
	return containers.Script{
		Run: try.Run, Exit: exit, TermDelay: try.TermDelay, TermCode: try.TermCode,
		Log: []containers.LogLine{{Text: "hello"}, {After: try.Run, Text: "bye"}},
	}, true
}
