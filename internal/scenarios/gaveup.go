package scenarios

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// startLimit is the limit of the scenarios in which a start is given up. It leaves a busy
// machine time to report why the pod does not start.
const startLimit = 20 * time.Second

// noRegistry is what a node says that has no registry at hand, as the real cluster's.
const noRegistry = `failed to pull and unpack image "` + MissingImage + `": failed to resolve image: failed to do request: dial tcp: connection refused`

// limited sets the limit of a start for one reason.
func limited(o *kontinue.PodOptions, reason string) *kontinue.PodOptions {
	o.StartLimits = kontinue.StartLimits{reason: startLimit}
	return o
}

// gaveUp returns scenarios with a step that is stopped since its pod does not start. None
// has a timeout.
func gaveUp() []*Scenario {
	const config, capacity = kontinue.ClassConfig, kontinue.ClassCapacity
	spec := func(change func(*corev1.PodSpec)) *kontinue.PodOptions {
		o := podOf("true")
		change(&o.Spec)
		return o
	}
	image := func(name string) *kontinue.PodOptions {
		return spec(func(s *corev1.PodSpec) { s.Containers[0].Image = name })
	}
	// given is the expected result: that of a pod in the given phase, with these words.
	given := func(pod WantPod, container, reason string, class kontinue.Class, is error, message ...string) Want {
		exit := &WantExit{Container: container, Reason: reason, AnyCode: true, Class: class, Is: is}
		return Want{Pods: pods(1, pod), Message: append([]string{reason, "gave up after"}, message...), Exit: exit}
	}
	return []*Scenario{
		{
			Name: "gave-up-image", Shows: "the image cannot be pulled",
			Pod: limited(image(MissingImage), "ErrImagePull"), Play: play(containers.Script{PullError: "ErrImagePull", PullMessage: noRegistry}),
			Want: given(failed, "main", "ErrImagePull", kontinue.ClassInfrastructure, kontinue.ErrImagePull, `container "main" has not started, image "`),
		},
		{
			Name: "gave-up-image-name", Shows: "the name of the image is malformed, which is given up at once",
			Pod: image("not:a:name"), Play: play(containers.Script{PullError: "InvalidImageName"}),
			Want: given(failed, "main", "InvalidImageName", config, kontinue.ErrImagePull, `container "main" has not started`),
		},
		{
			Name: "gave-up-secret-env", Shows: "an environment variable refers to a Secret that does not exist",
			Pod: limited(spec(func(s *corev1.PodSpec) {
				s.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "credentials"}}}}
			}), "CreateContainerConfigError"), Play: play(containers.Script{}),
			Want: given(failed, "main", "CreateContainerConfigError", config, kontinue.ErrConfig, `secret "credentials" not found`),
		},
		{
			Name: "gave-up-secret-volume", Shows: "a volume refers to a Secret that does not exist, which only an Event says",
			Pod: limited(spec(func(s *corev1.PodSpec) {
				s.Volumes = []corev1.Volume{{Name: "credentials", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "credentials"}}}}
				s.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "credentials", MountPath: "/credentials"}}
			}), "ContainerCreating"), Play: play(containers.Script{}),
			Want: given(failed, "main", "FailedMount", config, kontinue.ErrConfig, `container "main" has not started`, `secret "credentials" not found`),
		},
		{
			Name: "gave-up-service-account", Shows: "the pod's ServiceAccount does not exist, so that no pod is created",
			Pod: limited(spec(func(s *corev1.PodSpec) { s.ServiceAccountName = "missing" }), "FailedCreate"), Play: play(containers.Script{}),
			Want: given(failed, "", "FailedCreate", config, kontinue.ErrConfig, "no pod was created", `serviceaccount "missing" not found`),
		},
		{
			Name: "gave-up-quota", Shows: "a ResourceQuota rejects the pod",
			Pod: limited(podOf("true"), "FailedCreate"), Play: play(containers.Script{}),
			Before: func(ctx context.Context, r *Run) error { return r.quota(ctx, "pods") },
			Want:   given(failed, "", "FailedCreate", capacity, kontinue.ErrPodRejected, "no pod was created", "exceeded quota: limit"),
		},
		{
			Name: "gave-up-pod-security", Shows: "the Pod Security Standard restricted rejects the pod",
			Labels: map[string]string{"pod-security.kubernetes.io/enforce": "restricted"},
			Pod:    limited(podOf("true"), "FailedCreate"), Play: play(containers.Script{}),
			Want: given(failed, "", "FailedCreate", config, kontinue.ErrPodRejected, "no pod was created", `violates PodSecurity "restricted`),
		},
		{
			Name: "gave-up-unschedulable", Shows: "no node has 1000 CPUs",
			Pod: limited(spec(func(s *corev1.PodSpec) {
				s.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
			}), "Unschedulable"), Play: play(containers.Script{}),
			Race: "the Job controller counts the pod as failed, or deletes it before that",
			Want: given(pending, "", "Unschedulable", capacity, kontinue.ErrUnschedulable, "Insufficient cpu"),
		},
		{
			Name: "start-heals", Shows: "the missing Secret is created after half of the limit",
			Pod: limited(spec(func(s *corev1.PodSpec) {
				s.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "credentials"}}}}
			}), "CreateContainerConfigError"), Play: play(containers.Script{}),
			During: func(ctx context.Context, r *Run) error {
				if err := r.reportedReason(ctx, "CreateContainerConfigError"); err != nil {
					return err
				}
				if err := pause(ctx, startLimit/2); err != nil {
					return err
				}
				return r.secret(ctx, "credentials", "TOKEN", "sesame")
			},
			Want: podSucceeds(),
		},
	}
}
