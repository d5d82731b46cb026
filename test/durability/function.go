package durability

import (
	"fmt"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// step is one step of the function that every Execution runs, and how the
// kubelet ends its pods.
type step struct {
	name    string // as its Job says
	unnamed bool
	// indexes is the number of pods of an Indexed Job, 0 for a RunScript.
	indexes int
	// codes are the exit codes of its first pod in the step's runs, the last one
	// for all further runs; other pods succeed.
	codes []int32
}

// The function: an unnamed step, three named ones at the same time, and another
// unnamed one.
var (
	first  = step{name: "step-1", unnamed: true, codes: []int32{0}}
	middle = []step{
		{name: "lint", codes: []int32{0}},
		{name: "test", codes: []int32{3, 0}},
		{name: "matrix", indexes: 3, codes: []int32{7, 0}},
	}
	last  = step{name: "step-2", unnamed: true, codes: []int32{0}}
	steps = append([]step{first, last}, middle...)
)

func stepNamed(name string) (step, bool) {
	for _, s := range steps {
		if s.name == name {
			return s, true
		}
	}
	return step{}, false
}

func (s step) pods() int { return max(1, s.indexes) }

func (s step) code(run int) int32 { return s.codes[min(run, len(s.codes)-1)] }

// runs is how many Jobs the step has after an attempt, from 0.
func (s step) runs(policy kontinue.ChildPolicy, attempt int) int {
	switch policy {
	case kontinue.ChildPolicyRetryAll:
		return attempt + 1
	case kontinue.ChildPolicyRetryFailed:
		runs := 1
		for runs <= attempt && s.code(runs-1) != 0 {
			runs++
		}
		return runs
	default:
		return 1
	}
}

// logLine is what the kubelet leaves of the log of a container that failed.
func logLine(step string, run int) string {
	return fmt.Sprintf("run %d of %s was out of luck", run, step)
}

// Seen is what a worker was told of one step. It is the same in every life of
// every worker.
type Seen struct {
	Step      string
	Attempt   int
	Succeeded bool
	// Codes are the exit codes of the pods, in their order.
	Codes   []int32
	Phases  []corev1.PodPhase
	Message string
	// Pods are the UIDs of the pods: what a function was given must not be
	// another pod's later.
	Pods []string
	// Error is that of the call; it is never expected.
	Error string
	// Reattach is set in the only line of a worker that measures.
	Reattach *Reattach `json:",omitempty"`
}

// expected is what a step's result has to be, but for the UIDs.
func (s step) expected(policy kontinue.ChildPolicy, attempt int) Seen {
	run := s.runs(policy, attempt) - 1
	code := s.code(run)
	seen := Seen{Step: s.name, Attempt: attempt, Succeeded: code == 0}
	for i := range s.pods() {
		podCode, phase := int32(0), corev1.PodSucceeded
		if i == 0 && code != 0 {
			podCode, phase = code, corev1.PodFailed
		}
		seen.Codes, seen.Phases = append(seen.Codes, podCode), append(seen.Phases, phase)
	}
	if code == 0 {
		return seen
	}
	seen.Message = fmt.Sprintf("container %q failed: exit code %d: %s", container(s), code, logLine(s.name, run))
	if s.indexes > 0 {
		seen.Message = "FailedIndexes: Job has failed indexes (first failure: pod POD: " + seen.Message + ")"
	}
	return seen
}

func container(s step) string {
	if s.indexes > 0 {
		return "main"
	}
	return "script"
}

// function runs the steps and tells of each as soon as it has its result.
func function(ktx *kontinue.ExecutionContext, tell func(Seen)) {
	tell(call(ktx, first))
	if ktx.Context().Err() != nil {
		return
	}
	var wg sync.WaitGroup
	for _, s := range middle {
		wg.Go(func() { tell(call(ktx, s)) })
	}
	wg.Wait()
	if ktx.Context().Err() != nil {
		return
	}
	tell(call(ktx, last))
}

func call(ktx *kontinue.ExecutionContext, s step) Seen {
	options := kontinue.StepOptions{Name: s.name}
	if s.unnamed {
		options.Name = ""
	}
	seen := Seen{Step: s.name, Attempt: ktx.Attempts()}
	if s.indexes > 0 {
		r, err := kontinue.RunJob(ktx, indexed(options, s.indexes))
		if err != nil {
			seen.Error = err.Error()
			return seen
		}
		seen.Succeeded, seen.Message = r.Succeeded(), r.Message
		for _, p := range byIndex(r.Pods) {
			seen.pod(p)
		}
		return seen
	}
	r, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{StepOptions: options, Image: "busybox:1", Command: "run " + s.name})
	if err != nil {
		seen.Error = err.Error()
		return seen
	}
	seen.Succeeded, seen.Message = r.Succeeded(), r.Message
	seen.pod(r)
	return seen
}

// indexed is a Job of so many pods at the same time, none of which is retried.
func indexed(options kontinue.StepOptions, indexes int) *kontinue.JobOptions {
	return &kontinue.JobOptions{StepOptions: options, Spec: batchv1.JobSpec{
		Completions: new(int32(indexes)), Parallelism: new(int32(indexes)),
		CompletionMode: new(batchv1.IndexedCompletion), BackoffLimitPerIndex: new(int32(0)),
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Image: "busybox:1", Command: []string{"run"}}},
		}},
	}}
}
