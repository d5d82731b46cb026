package main

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// limit is added to the intended duration of a step to get its timeout.
const limit = 3 * time.Minute

// release is the worker function: it builds, tests in two shards and publishes. Its
// error wraps a *kontinue.ExitError if a step ran and failed.
func release(ktx *kontinue.ExecutionContext, opts options, flaky bool) error {
	sleep := fmt.Sprintf("sleep %d; ", int(opts.step.Seconds()))
	if err := script(ktx, opts, "build", sleep+"echo built"); err != nil {
		return err
	}
	if err := test(ktx, opts, sleep+`echo "shard $JOB_COMPLETION_INDEX passed"`); err != nil {
		return err
	}
	if flaky && ktx.Attempts() == 0 {
		return script(ktx, opts, "publish", sleep+"echo 'registry answers 503' >&2; exit 75")
	}
	return script(ktx, opts, "publish", sleep+"echo published")
}

// script runs a step of one container.
func script(ktx *kontinue.ExecutionContext, opts options, name, command string) error {
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: name, Timeout: opts.step + limit},
		Image:       opts.image,
		Command:     command,
	})
	if err != nil {
		return err // there is no result
	}
	return result.Err() // nil, or an ExitError, which names the Job and so the step
}

// test runs a command in two pods of one Job.
func test(ktx *kontinue.ExecutionContext, opts options, command string) error {
	result, err := kontinue.RunJob(ktx, &kontinue.JobOptions{
		StepOptions: kontinue.StepOptions{Name: "test", Timeout: opts.step + limit},
		Spec: batchv1.JobSpec{
			Completions:    new(int32(2)),
			Parallelism:    new(int32(2)),
			CompletionMode: new(batchv1.IndexedCompletion),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name:    "test",
				Image:   opts.image,
				Command: []string{"/bin/sh", "-c", command},
			}}}},
		},
	})
	if err != nil {
		return err
	}
	return result.Err()
}
