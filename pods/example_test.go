package pods_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

func Example() {
	spec, err := pods.ScriptSpec(pods.Script{Image: "alpine:3.20", Command: "echo $(date) && ./migrate up"})
	if err != nil {
		fmt.Println(err)
		return
	}
	job := pods.JobSpec(spec)
	fmt.Printf("%q backoffLimit=%d\n", job.Template.Spec.Containers[0].Command, *job.BackoffLimit)

	// The cluster runs the Job. Afterwards the status of its pod is:
	pod := &corev1.Pod{Spec: job.Template.Spec, Status: corev1.PodStatus{
		Phase: corev1.PodFailed,
		ContainerStatuses: []corev1.ContainerStatus{{
			Name: "script",
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 3, Reason: "Error", Message: "Sun Mar  1 12:00:00\nno such table: users\n",
			}},
		}},
	}}
	outcome := pods.Inspect(pod)
	fmt.Println(outcome.Succeeded(), outcome.Cause())
	fmt.Println(outcome.Explain())
	// Output:
	// ["/bin/sh" "-c" "echo $$(date) && ./migrate up"] backoffLimit=0
	// false Error
	// container "script" failed: exit code 3: no such table: users
}

func ExampleEncode() {
	outcome := pods.Outcome{Name: "step-1-x7k2p", Phase: corev1.PodSucceeded, Containers: []pods.ContainerOutcome{
		{Name: "script", Kind: pods.KindMain, State: "Terminated"},
	}}
	text, cut, err := pods.Encode([]pods.Outcome{outcome}, pods.MaxRecordBytes)
	fmt.Println(text, cut, err)

	recorded, _, err := pods.Decode(text)
	fmt.Println(recorded[0].Succeeded(), err)
	fmt.Println(pods.Restore("default", recorded[0]).Status.Phase)
	// Output:
	// {"v":1,"pods":[{"n":"step-1-x7k2p","p":"Succeeded","c":[{"n":"script","k":"main","s":"Terminated"}]}]} false <nil>
	// true <nil>
	// Succeeded
}
