package main

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kontinue/kontinue"
)

// train is the worker function. Its step waits in a queue of Kueue.
func train(ktx *kontinue.ExecutionContext, queue string) error {
	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{
			Name:    "train",
			Queue:   queue,         // the Job is created suspended, with Kueue's label
			Timeout: 2 * time.Hour, // from its admission: the queue does not count
		},
		ExtraLabels: map[string]string{"kueue.x-k8s.io/priority-class": "low"},
		Image:       "busybox",
		Command:     "echo training; sleep 2; echo trained",
		Resources: corev1.ResourceRequirements{ // what Kueue counts
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")},
		},
	})
	if err != nil {
		return err
	}
	return result.Err()
}
