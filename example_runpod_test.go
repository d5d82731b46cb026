package kontinue_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// A pod of several containers. Each of them has to exit with code 0.
func ExampleRunPod() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunPod(ktx, &kontinue.PodOptions{
		Spec: corev1.PodSpec{
			InitContainers: []corev1.Container{{
				Name: "fetch", Image: "alpine:3", Command: []string{"/bin/sh", "-c", "echo fetched"},
			}},
			Containers: []corev1.Container{{
				Name: "migrate", Image: "alpine:3", Command: []string{"/bin/sh", "-c", "echo 'no such table' >&2; exit 4"},
			}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(result.Succeeded())
	fmt.Println(result.Message)
	// Output:
	// false
	// container "migrate" failed: exit code 4: no such table
}
