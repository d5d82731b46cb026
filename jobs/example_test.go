package jobs_test

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// A worker creates the Job of a step. When it resumes, it gets the same Job.
func Example() {
	request := jobs.Request{
		Execution: identity.Execution{Namespace: "default", Name: "deploy", UID: "0b9c1c5e"},
		Owner:     metav1.OwnerReference{APIVersion: "example.com/v1", Kind: "Execution", Name: "deploy", UID: "0b9c1c5e"},
		Group:     "default",
		Step:      "helm",
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			Containers: []corev1.Container{{Name: "helm", Image: "alpine/helm:3.14"}},
		}}},
	}
	ctx := context.Background()
	client := jobs.NewClient(fake.NewSimpleClientset(), jobs.Options{})
	for _, image := range []string{"alpine/helm:3.14", "alpine/helm:3.15"} {
		request.Spec.Template.Spec.Containers[0].Image = image
		got, err := client.Acquire(ctx, &request, jobs.None, client.NewRuns(request.Execution, false), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(got.Run.Name, "adopted:", got.Adopted, got.Drift)
	}
	// Output:
	// deploy-helm-pjnm5v2vvuve2 adopted: false []
	// deploy-helm-pjnm5v2vvuve2 adopted: true [template.spec.containers[0].image: alpine/helm:3.14 -> alpine/helm:3.15]
}

// Only the condition Complete or Failed ends a Job.
func ExampleClassify() {
	status := batchv1.JobStatus{Failed: 1, Conditions: []batchv1.JobCondition{
		{Type: batchv1.JobFailureTarget, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"},
	}}
	fmt.Println(jobs.Classify(&status))
	status.Conditions = append(status.Conditions, batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded"})
	fmt.Println(jobs.Classify(&status), jobs.Classify(&status).Reason)
	// Output:
	// Ending
	// Failed BackoffLimitExceeded
}

// A retry under RetryFailed keeps the run that succeeded.
func ExamplePolicy_Plan() {
	runs := []jobs.Run{
		{Number: 0, Attempt: 0, Terminal: true, Failed: true, Recorded: true, RecordedAttempt: 0},
		{Number: 1, Attempt: 1, Terminal: true, Recorded: true, RecordedAttempt: 1},
	}
	fmt.Println("adopt run", jobs.RetryFailed.Plan(2, runs).Adopt.Number)
	fmt.Println("create run", jobs.RetryAll.Plan(2, runs).Create)
	// Output:
	// adopt run 1
	// create run 2
}
