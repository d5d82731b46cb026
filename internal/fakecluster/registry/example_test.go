package registry_test

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// A Job is defaulted and then validated, as in a create request.
func ExampleStrategy() {
	strategy := registry.StrategyFor(batchv1.SchemeGroupVersion.WithKind("Job"))
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "report", Namespace: "default"}}
	job.Spec.Template.Spec.Containers = []corev1.Container{{Name: "main", Image: "alpine:3"}}

	strategy.SetDefaults(job)
	strategy.PrepareForCreate(job)
	fmt.Println(*job.Spec.BackoffLimit, job.Spec.Template.Spec.RestartPolicy)
	for _, err := range strategy.Validate(job, true) {
		fmt.Println(err)
	}
	// Output:
	// 6 Always
	// spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"
}
