package kontinue_test

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// A Job with two indexed completions, run side by side.
func ExampleRunJob() {
	ktx, stop := startExecution()
	defer stop()

	shards, mode := int32(2), batchv1.IndexedCompletion
	result, err := kontinue.RunJob(ktx, &kontinue.JobOptions{
		StepOptions: kontinue.StepOptions{Name: "test", DisplayName: "Tests in two shards"},
		Spec: batchv1.JobSpec{
			Completions:    &shards,
			Parallelism:    &shards,
			CompletionMode: &mode,
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "test", Image: "alpine:3", Command: []string{"/bin/sh", "-c", `test "$JOB_COMPLETION_INDEX" -lt 2`},
			}}}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Succeeded(), result.SucceededPods, result.FailedPods, len(result.Pods))
	// Output: true 2 0 2
}
