package scenarios

import (
	"context"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// nodeOnly returns scenarios that need a real node.
func nodeOnly() []*Scenario {
	shared := &kontinue.PodOptions{Spec: change(pod(with(container("main", "cat /work/file"), mounts("work", "/work"))), func(s *corev1.PodSpec) {
		s.InitContainers = []corev1.Container{with(container("setup", "echo from setup > /work/file"), mounts("work", "/work"))}
		s.Volumes = []corev1.Volume{{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	})}
	secret := &kontinue.PodOptions{Spec: change(pod(with(container("main", "cat /credentials/token"), mounts("credentials", "/credentials"))), func(s *corev1.PodSpec) {
		s.Volumes = []corev1.Volume{{Name: "credentials", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "credentials"}}}}
	})}
	user := &kontinue.PodOptions{Spec: change(pod(container("main", "[ $(id -u) = 4321 ]")), func(s *corev1.PodSpec) {
		s.SecurityContext = &corev1.PodSecurityContext{RunAsUser: new(int64(4321))}
	})}
	entryPoint := &kontinue.PodOptions{Spec: pod(corev1.Container{Name: "main", Image: Image})}
	return []*Scenario{
		{
			Name: "volume-shared", Shows: "the main container reads what an init container wrote to an emptyDir", Needs: []Capability{Volumes},
			Pod: shared, Want: podSucceeds(),
			After: func(_ context.Context, r *Run) error { return r.wantLogs(nil, "from setup\n") },
		},
		{
			Name: "volume-late-secret", Shows: "the Secret of a volume is created after the pod", Needs: []Capability{Volumes},
			Pod: secret, Want: podSucceeds(),
			During: func(ctx context.Context, r *Run) error {
				if err := r.event(ctx, "FailedMount", `secret "credentials" not found`); err != nil {
					return err
				}
				return r.secret(ctx, "credentials", "token", "sesame")
			},
			After: func(_ context.Context, r *Run) error { return r.wantLogs(nil, "sesame") },
		},
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

// mounts adds a volume mount to a container.
func mounts(volume, path string) func(c *corev1.Container) {
	return func(c *corev1.Container) {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volume, MountPath: path})
	}
}
