package retries_test

import (
	"context"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

const stepName = "flaky"

// takes is how long each run takes.
const takes = 3 * time.Second

// play is what the containers of the step do, and what was observed of them.
type play struct {
	codes []int32 // of each run; the last one repeats

	mu      sync.Mutex
	begun   []time.Time
	ended   []time.Time
	running int
	overlap bool
}

func newPlay(w *simtest.World, codes ...int32) *play {
	p := &play{codes: codes}
	w.Cluster.On(containers.Match{Step: stepName}, containers.Script{Do: p.run})
	return p
}

func (p *play) run(ctx context.Context, _ containers.Spec) containers.Exit {
	p.mu.Lock()
	code := p.codes[min(len(p.begun), len(p.codes)-1)]
	p.begun = append(p.begun, time.Now())
	p.running++
	p.overlap = p.overlap || p.running > 1
	p.mu.Unlock()
	simtest.Sleep(ctx, takes)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running--
	p.ended = append(p.ended, time.Now())
	if ctx.Err() != nil {
		code = 143
	}
	return containers.Exit{Code: code}
}

func (p *play) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.begun)
}

// requireRuns requires that there were so many runs, one after the other.
func (p *play) requireRuns(w *simtest.World, n int) {
	w.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	require.Len(w, p.begun, n, "runs")
	require.False(w, p.overlap, "two runs at the same time")
	jobs := byNumber(w)
	require.Len(w, jobs, n)
	for i := 1; i < n; i++ {
		ended := time.Time{}
		for _, c := range jobs[i-1].Status.Conditions {
			if c.Type == batchv1.JobFailed || c.Type == batchv1.JobComplete {
				ended = c.LastTransitionTime.Time
			}
		}
		require.False(w, ended.IsZero(), "run %d is not terminal", i-1)
		require.False(w, ended.After(jobs[i].CreationTimestamp.Time), "run %d was created before the one before it was terminal", i)
	}
}

// options are those of the step.
func options(r kontinue.Retry) *kontinue.ScriptOptions {
	o := simtest.Script(stepName, "true")
	o.Retry = r
	return o
}

// run runs the step in a worker.
func run(p *simtest.Worker, r kontinue.Retry) (*kontinue.PodResult, error) {
	return kontinue.RunScript(p.ExecutionContext(), options(r))
}

// created returns when the Jobs of the step were created, by their run number.
func created(w *simtest.World) (times []time.Time) {
	for _, job := range byNumber(w) {
		times = append(times, job.CreationTimestamp.Time)
	}
	return times
}

// byNumber returns the Jobs of the step in the order of their runs.
func byNumber(w *simtest.World) []batchv1.Job {
	jobs := w.Jobs()[stepName]
	sorted := make([]batchv1.Job, len(jobs))
	for _, job := range jobs {
		n := int(job.Annotations["kontinue.cloud/run"][0] - '0')
		require.Less(w, n, len(jobs), "a run is missing")
		sorted[n] = job
	}
	return sorted
}

// recorded returns whether the run has its record.
func recorded(job batchv1.Job) bool { return job.Annotations["kontinue.cloud/outcome"] != "" }

// slow delays a kind of requests by two seconds.
func slow(user, verb string) apiserver.Fault {
	return apiserver.Fault{Match: apiserver.Match{User: user, Verb: verb, Resource: "jobs"}, Delay: 2 * time.Second}
}
