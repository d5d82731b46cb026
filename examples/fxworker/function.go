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
	options := func(name string) kontinue.StepOptions {
		return kontinue.StepOptions{Name: name, Timeout: opts.step + limit}
	}
	sleep := fmt.Sprintf("sleep %d; ", int(opts.step.Seconds()))

	build, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: options("build"),
		Image:       opts.image,
		Command:     sleep + "echo built",
	})
	if err != nil {
		return fmt.Errorf("build: %w", err)
	}
	if err := build.Err(); err != nil {
		return fmt.Errorf("build: %w", err)
	}

	shards := int32(2)
	indexed := batchv1.IndexedCompletion
	tests, err := kontinue.RunJob(ktx, &kontinue.JobOptions{
		StepOptions: options("test"),
		Spec: batchv1.JobSpec{
			Completions:    &shards,
			Parallelism:    &shards,
			CompletionMode: &indexed,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name:    "test",
				Image:   opts.image,
				Command: []string{"/bin/sh", "-c", sleep + `echo "shard $JOB_COMPLETION_INDEX passed"`},
			}}}},
		},
	})
	if err != nil {
		return fmt.Errorf("test: %w", err)
	}
	if err := tests.Err(); err != nil {
		return fmt.Errorf("test: %w", err)
	}

	command := sleep + "echo published"
	if flaky && ktx.Attempts() == 0 {
		command = sleep + "echo 'registry answers 503' >&2; exit 75"
	}
	publish, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: options("publish"),
		Image:       opts.image,
		Command:     command,
	})
	if err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	if err := publish.Err(); err != nil {
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}
