package causes_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/pods"
)

func Example() {
	end := pods.JobEnd{Failed: true, Reason: "BackoffLimitExceeded"}
	pod := pods.Inspect(&corev1.Pod{Status: corev1.PodStatus{
		Phase: corev1.PodFailed, Reason: "Evicted", Message: "The node was low on resource: memory. ",
	}})
	cause := causes.Of(end, pod)
	fmt.Println(cause.Reason, cause.Class, cause.Errors)
	fmt.Println(cause.Advice)
	// Output:
	// Evicted Infrastructure [pod was evicted]
	// The node ran out of a resource and evicted the pod: run the step again, with resources.requests nearer to what the program uses.
}
