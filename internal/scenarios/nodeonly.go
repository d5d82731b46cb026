package scenarios

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// nodeOnly returns scenarios that need a real node.
func nodeOnly() []*Scenario {
	user := &kontinue.PodOptions{Spec: change(pod(container("main", "[ $(id -u) = 4321 ]")), func(s *corev1.PodSpec) {
		s.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(4321))}
	})}
	entryPoint := &kontinue.PodOptions{Spec: pod(corev1.Container{Name: "main", Image: Image})}
	return []*Scenario{
		{
			Name: "run-as-user", Shows: "the container runs as the user of its security context", Needs: []Capability{SecurityContexts},
			Pod: user, Want: podSucceeds(),
		},
		{
			Name: "entry-point", Shows: "a container without a command runs the image's entry point", Needs: []Capability{Images},
			Pod: entryPoint, Want: podSucceeds(),
		},
	}
}
