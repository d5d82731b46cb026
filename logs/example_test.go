package logs_test

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/logs"
)

func ExampleReader_Tail() {
	reader := logs.NewReader(fake.NewClientset()) // a fake clientset returns "fake logs"
	text, err := reader.Tail(context.Background(), logs.Ref{Namespace: "default", Pod: "migrate-x7k2p", Container: "script"}, logs.TailOptions{Lines: 20})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(logs.LastLine(text))
	// Output: fake logs
}

func ExampleReader_Follow() {
	reader := logs.NewReader(fake.NewClientset())
	ref := logs.Ref{Namespace: "default", Pod: "migrate-x7k2p", Container: "script"}

	// A watch of pods sets the state with each change of the pod.
	source := &logs.Source{}
	source.Set(logs.StateOf(&corev1.Pod{Status: corev1.PodStatus{
		Phase: corev1.PodSucceeded,
		ContainerStatuses: []corev1.ContainerStatus{{Name: "script", State: corev1.ContainerState{
			Terminated: &corev1.ContainerStateTerminated{StartedAt: metav1.Now(), FinishedAt: metav1.Now()},
		}}},
	}}, "script"))
	report, err := reader.Follow(context.Background(), ref, source, os.Stdout)
	fmt.Println(report.Complete, report.Lines, len(report.Gaps), err)
	// Output:
	// fake logs
	// true 1 0 <nil>
}
