package kill

import (
	"errors"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
)

// step is one step of the function that every Execution runs, with the exit codes of
// its pods.
type step struct {
	name    string // on its Job
	unnamed bool
	// indexes is the number of pods of an Indexed Job, 0 for a RunScript.
	indexes int
	// codes are the exit codes of the step's first pod by run. The last one applies to
	// all later runs. All other pods succeed.
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

// runs returns the number of Jobs that the step has after an attempt. Attempts count
// from 0.
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

// function runs the steps, and prints each result as soon as it is there.
func (o *order) function(ktx *kontinue.ExecutionContext) {
	o.step(ktx, first)
	if ktx.Context().Err() != nil {
		return
	}
	var wg sync.WaitGroup
	for _, s := range middle {
		wg.Go(func() { o.step(ktx, s) })
	}
	wg.Wait()
	if ktx.Context().Err() != nil {
		return
	}
	o.step(ktx, last)
}

const (
	// maxCalls bounds the calls of a step whose Job is deleted each time.
	maxCalls = 10
	// beforeAgain is the pause between them. The later attempt that has deleted the Job
	// looks at least every two seconds whether it is gone, and creates the next run.
	beforeAgain = 3 * time.Second
)

// step runs a step and prints its result.
func (o *order) step(ktx *kontinue.ExecutionContext, s step) {
	result, err := call(ktx, s)
	for n := 1; o.Again && n < maxCalls && errors.Is(err, kontinue.ErrJobDeleted); n++ {
		testbed.Pause(ktx.Context(), beforeAgain)
		result, err = call(ktx, s)
	}
	if err != nil {
		result.Error = err.Error()
	}
	printResult(result)
}

func call(ktx *kontinue.ExecutionContext, s step) (Result, error) {
	options := kontinue.StepOptions{Name: s.name}
	if s.unnamed {
		options.Name = ""
	}
	result := Result{Step: s.name, Attempt: ktx.Attempts()}
	if s.indexes > 0 {
		r, err := kontinue.RunJob(ktx, indexed(options, s.indexes))
		if err != nil {
			return result, err
		}
		result.Succeeded, result.Message = r.Succeeded(), r.Message
		for _, p := range byIndex(r.Pods) {
			result.add(p)
		}
		return result, nil
	}
	r, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{StepOptions: options, Image: "busybox:1", Command: "run " + s.name})
	if err != nil {
		return result, err
	}
	result.Succeeded, result.Message = r.Succeeded(), r.Message
	result.add(r)
	return result, nil
}

// indexed returns the options of a Job whose pods run concurrently and are not
// retried.
func indexed(options kontinue.StepOptions, indexes int) *kontinue.JobOptions {
	return &kontinue.JobOptions{StepOptions: options, Spec: batchv1.JobSpec{
		Completions: new(int32(indexes)), Parallelism: new(int32(indexes)),
		CompletionMode: new(batchv1.IndexedCompletion), BackoffLimitPerIndex: new(int32(0)),
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "main", Image: "busybox:1", Command: []string{"run"}}},
		}},
	}}
}
