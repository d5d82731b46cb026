package kubelet_test

import (
	"bytes"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// A container of a step fails at its first start and succeeds at its second.
func ExampleScripts() {
	scripts := kubelet.NewScripts()
	scripts.On(kubelet.Match{Step: "migrate"},
		kubelet.Script{Exit: kubelet.Exit{Code: 3}, Log: []kubelet.LogLine{{Text: "locked"}}},
		kubelet.Script{Log: []kubelet.LogLine{{Text: "migrated"}}})

	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", UID: "p", Labels: map[string]string{kubelet.StepLabel: "migrate"}}}
	for restart := range 2 {
		var log bytes.Buffer
		_, err := scripts.Start(kubelet.ContainerSpec{
			Pod: pod, Container: &corev1.Container{Name: "main"}, Role: kubelet.RoleMain, Restart: restart, Log: &log,
		}, func(exit kubelet.Exit) { fmt.Print("exit ", exit.Code, ": ", log.String()) })
		if err != nil {
			fmt.Println(err)
		}
	}
	scripts.Close()
	// Output:
	// exit 3: locked
	// exit 0: migrated
}
