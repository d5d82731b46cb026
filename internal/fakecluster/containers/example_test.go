package containers_test

import (
	"bytes"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// A container of a step fails at its first start and succeeds at its second.
func ExampleScripts() {
	scripts := containers.NewScripts()
	scripts.On(containers.Match{Step: "migrate"},
		containers.Script{Exit: containers.Exit{Code: 3}, Log: []containers.LogLine{{Text: "locked"}}},
		containers.Script{Log: []containers.LogLine{{Text: "migrated"}}})

	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "p", Labels: map[string]string{containers.StepLabel: "migrate"}}}
	for restart := range 2 {
		var log bytes.Buffer
		_, err := scripts.Start(containers.Spec{
			Pod: pod, Container: &corev1.Container{Name: "main"}, Role: containers.RoleMain, Restart: restart, Log: &log,
		}, func(exit containers.Exit) { fmt.Print("exit ", exit.Code, ": ", log.String()) })
		if err != nil {
			fmt.Println(err)
		}
	}
	scripts.Close()
	// Output:
	// exit 3: locked
	// exit 0: migrated
}
