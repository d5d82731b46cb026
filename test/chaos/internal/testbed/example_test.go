package testbed_test

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
)

func ExampleKubelet() {
	ctx := context.Background()
	pod := newPod()
	client := fake.NewClientset(pod)
	k := testbed.NewKubelet(ctx, client, scripted(testbed.Script{ExitCode: 3, Message: "no space left"}))
	k.SyncPod(pod)
	k.Wait()

	pod, err := client.CoreV1().Pods(pod.Namespace).Get(ctx, pod.Name, metav1.GetOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	exit := pod.Status.ContainerStatuses[0].State.Terminated
	fmt.Printf("%s, exit code %d: %s\n", pod.Status.Phase, exit.ExitCode, exit.Message)
	// Output: Failed, exit code 3: no space left
}
