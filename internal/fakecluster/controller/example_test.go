package controller_test

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"k8s.io/client-go/metadata"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/controller"
	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// Without kubelets the controllers create a Job's pod, and the pod stays
// Pending.
func Example() {
	ctx, cancel := context.WithCancel(context.Background())
	server := apiserver.New(apiserver.Options{})
	cache := engine.NewCache()
	client, partial := server.ClientsetAs("controllers"), metadata.NewForConfigOrDie(server.Config("controllers"))
	manager := controller.New(client, partial, cache, controller.Options{})
	if err := cache.Start(ctx, client, partial); err != nil {
		fmt.Println(err)
	}
	manager.Start(ctx)

	client = server.Clientset()
	pods, err := client.CoreV1().Pods("default").Watch(ctx, metav1.ListOptions{})
	if err != nil {
		fmt.Println(err)
	}
	_, err = client.BatchV1().Jobs("default").Create(ctx, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "greet"},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: "busybox"}},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		fmt.Println(err)
	}
	if pod, ok := (<-pods.ResultChan()).Object.(*corev1.Pod); ok {
		fmt.Println(pod.GenerateName, pod.Status.Phase, pod.Finalizers)
	}
	pods.Stop()

	cancel()
	cache.Wait()
	manager.Wait()
	server.Close()
	// Output: greet- Pending [batch.kubernetes.io/job-tracking]
}
