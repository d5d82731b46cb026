package fakecluster_test

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

func Example() {
	ctx := context.Background()
	cluster := fakecluster.New(fakecluster.Options{})
	cluster.On(containers.Match{Job: "greet"}, containers.Script{Exit: containers.Exit{Code: 3}})
	if err := cluster.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer cluster.Stop()

	jobs := cluster.Clientset().BatchV1().Jobs("default")
	watch, err := jobs.Watch(ctx, metav1.ListOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer watch.Stop()
	none := int32(0)
	_, err = jobs.Create(ctx, &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Name: "greet"},
		Spec: batchv1.JobSpec{BackoffLimit: &none, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever,
			Containers:    []corev1.Container{{Name: "main", Image: "busybox"}},
		}}},
	}, metav1.CreateOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for event := range watch.ResultChan() {
		job, ok := event.Object.(*batchv1.Job)
		if !ok {
			continue
		}
		for _, c := range job.Status.Conditions {
			if c.Type == batchv1.JobFailed {
				fmt.Println(c.Type, c.Reason)
				return
			}
		}
	}
	// Output: Failed BackoffLimitExceeded
}
