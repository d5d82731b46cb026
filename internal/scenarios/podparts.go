package scenarios

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// podParts returns scenarios with several containers in a pod.
func podParts() []*Scenario {
	initOf := func(main corev1.Container, inits ...corev1.Container) *kontinue.PodOptions {
		return &kontinue.PodOptions{Spec: change(pod(main), func(s *corev1.PodSpec) { s.InitContainers = inits })}
	}
	sidecar := with(container("proxy", hang), func(c *corev1.Container) {
		c.RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
	})
	return []*Scenario{
		{
			Name: "init-succeeds", Shows: "two init containers run before the main container",
			Pod:  initOf(container("main", "echo main"), container("first", "true"), container("second", "true")),
			Want: podSucceeds(),
		},
		{
			Name: "init-fails", Shows: "the second of three init containers exits with code 4",
			Pod: initOf(container("main", "true"), container("first", "true"), container("second", "echo no schema >&2; exit 4"), container("third", "true")),
			Want: podFails(WantExit{Container: "second", Code: 4, Reason: "Error", Is: kontinue.ErrInitContainer},
				`init container "second" failed: exit code 4: no schema`),
		},
		{
			Name: "sidecar", Shows: "a native sidecar runs until the main container has ended",
			Pod:  initOf(container("main", "sleep 1; echo main"), sidecar),
			Want: podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				statuses := r.Pod.Pod.Status.InitContainerStatuses
				if len(statuses) != 1 || statuses[0].State.Terminated == nil {
					return errors.New("the sidecar's end is not in the pod's status")
				}
				return nil
			},
		},
		{
			Name: "sidecar-and-failure", Shows: "the main container fails next to a native sidecar",
			Pod:  initOf(container("main", "exit 6"), sidecar),
			Want: podFails(WantExit{Container: "main", Code: 6, Reason: "Error"}, `container "main" failed: exit code 6`),
		},
		{
			Name: "two-containers", Shows: "the second of two containers fails, and the first succeeds later",
			Pod:  &kontinue.PodOptions{Spec: pod(container("good", "sleep 2"), container("bad", "exit 5"))},
			Want: podFails(WantExit{Container: "bad", Code: 5, Reason: "Error"}, `container "bad" failed: exit code 5`),
		},
	}
}
