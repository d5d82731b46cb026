package apiserver_test

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

func Example() {
	ctx := context.Background()
	server := apiserver.New(apiserver.Options{})
	defer server.Close()
	jobs := server.Clientset().BatchV1().Jobs("default")

	w, err := jobs.Watch(ctx, metav1.ListOptions{LabelSelector: "team=a"})
	if err != nil {
		panic(err)
	}
	for _, team := range []string{"b", "a"} {
		job, err := jobs.Create(ctx, &batchv1.Job{
			ObjectMeta: metav1.ObjectMeta{Name: "job-of-" + team, Labels: map[string]string{"team": team}},
			Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "main", Image: "alpine:3"}},
			}}},
		}, metav1.CreateOptions{})
		if err != nil {
			panic(err)
		}
		fmt.Println("created", job.Name, "with backoffLimit", *job.Spec.BackoffLimit)
	}
	ev := <-w.ResultChan()
	fmt.Println(ev.Type == watch.Added, ev.Object.(*batchv1.Job).Name)

	undo := server.Deny(apiserver.Match{Verb: "delete", Resource: "jobs"})
	fmt.Println(jobs.Delete(ctx, "job-of-a", metav1.DeleteOptions{}))
	undo()
	fmt.Println("creates:", server.Stats().Count("", "create", "jobs"))
	// Output:
	// created job-of-b with backoffLimit 6
	// created job-of-a with backoffLimit 6
	// true job-of-a
	// jobs.batch "job-of-a" is forbidden: User "system:serviceaccount:default:kontinue" cannot delete resource "jobs" in API group "batch" in the namespace "default"
	// creates: 2
}
