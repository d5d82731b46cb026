package kubelet_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/engine"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// The kubelet serves a request for a log that the API server forwards.
func ExampleKubelet_Logs() {
	server := apiserver.New(apiserver.Options{})
	defer server.Close()
	k := kubelet.New(server.ClientsetAs("system:node:node-1"), engine.NewCache(), containers.NewScripts(), kubelet.Options{})
	defer k.Wait()

	_, err := k.Logs("default", "report", "main", &corev1.PodLogOptions{})
	fmt.Println(apierrors.IsNotFound(err), err)
	// Output:
	// true pods "report" not found
}
