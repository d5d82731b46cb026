package podtemplate_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/podtemplate"
)

// The step's container gets what it does not set itself from the container "default".
func Example() {
	base := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		NodeSelector: map[string]string{"pool": "jobs"},
		Containers:   []corev1.Container{{Name: "default", ImagePullPolicy: corev1.PullAlways}},
	}}
	step := &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}},
	}}
	merged, err := podtemplate.Merge(base, step)
	if err != nil {
		fmt.Println(err)
		return
	}
	c := merged.Spec.Containers[0]
	fmt.Println(merged.Spec.NodeSelector["pool"], c.Name, c.Image, c.ImagePullPolicy)
	// Output: jobs main alpine:3 Always
}
