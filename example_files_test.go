package kontinue_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// Files are in the container from its start. They are in a Secret that the Job owns, for
// which the worker needs the rights in deploy/rbac-optional.yaml.
func ExampleRunScript_files() {
	ktx, stop := startExecution()
	defer stop()

	result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "configure"},
		Image:       "alpine:3",
		Shell:       []string{"/bin/sh", "/opt/greet.sh"}, // gets the command as its argument
		Command:     "world",
		Files:       map[string]string{"/opt/greet.sh": `echo "$GREETING $1"`},
		Env:         []corev1.EnvVar{{Name: "GREETING", Value: "hello"}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	logs, err := result.Logs(ktx, nil)
	fmt.Print(logs)
	fmt.Println(err)
	// Output:
	// hello world
	// <nil>
}

// A namespace that enforces the Pod Security Standard "restricted" admits the pods of every
// step under this template.
func ExampleRestrictedPodTemplate() {
	template := kontinue.RestrictedPodTemplate()
	template.Spec.NodeSelector = map[string]string{"pool": "jobs"}
	config := kontinue.Config{Namespace: "ci", PodTemplate: template}
	fmt.Println(config.PodTemplate.Spec.NodeSelector["pool"], *config.PodTemplate.Spec.SecurityContext.RunAsNonRoot)
	// Output: jobs true
}
