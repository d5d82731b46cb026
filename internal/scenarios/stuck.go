package scenarios

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// stuckFor is the StepOptions.Timeout of pods that never start. It leaves a busy machine
// time to report the reason, after which deadlineNow shortens it.
const stuckFor = 2 * time.Minute

// deadlineNow makes the Job exceed its deadline.
func (r *Run) deadlineNow(ctx context.Context) error {
	return r.patchJob(ctx, `{"spec":{"activeDeadlineSeconds":1}}`)
}

// untilReported calls deadlineNow once the reason was reported to OnProgress.
func untilReported(reason string) func(ctx context.Context, r *Run) error {
	return func(ctx context.Context, r *Run) error {
		return firstError(r.reportedReason(ctx, reason), r.deadlineNow(ctx))
	}
}

// untilEvent calls deadlineNow once there is an event with the reason and the text.
func untilEvent(reason, text string) func(ctx context.Context, r *Run) error {
	return func(ctx context.Context, r *Run) error {
		return firstError(r.event(ctx, reason, text), r.deadlineNow(ctx))
	}
}

// stuck returns scenarios with a pod that cannot start. The wait ends by a timeout, by
// a cancellation, or when the missing object is created.
func stuck() []*Scenario {
	secretEnv := func(shell string) *kontinue.PodOptions {
		return &kontinue.PodOptions{Spec: pod(with(container("main", shell), func(c *corev1.Container) {
			c.Env = []corev1.EnvVar{{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "credentials"}, Key: "token",
			}}}}
		}))}
	}
	huge := podOf("true")
	huge.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
	noImage := podOf("true")
	noImage.Spec.Containers[0].Image = MissingImage
	noVolume := &kontinue.PodOptions{Spec: change(pod(with(container("main", "true"), func(c *corev1.Container) {
		c.VolumeMounts = []corev1.VolumeMount{{Name: "credentials", MountPath: "/credentials"}}
	})), func(s *corev1.PodSpec) {
		s.Volumes = []corev1.Volume{{Name: "credentials", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "credentials"}}}}
	})}
	noAccount := &kontinue.PodOptions{Spec: change(pod(container("main", "true")), func(s *corev1.PodSpec) { s.ServiceAccountName = "missing" })}
	// The kubelet overwrites the waiting reason when it terminates such a pod.
	timedOut := func(message ...string) Want {
		return Want{
			Pods: pods(1, failed), Message: append([]string{"DeadlineExceeded"}, message...),
			Exit: &WantExit{Container: "main", Reason: "DeadlineExceeded", Is: kontinue.ErrDeadlineExceeded},
		}
	}
	return []*Scenario{
		{
			Name: "missing-image", Shows: "the image cannot be pulled before the deadline",
			Pod: within(noImage, stuckFor), Play: play(containers.Script{PullError: "ErrImagePull"}),
			During: untilReported("ErrImagePull"),
			Want:   timedOut(`container "main"`),
		},
		{
			Name: "missing-secret-env", Shows: "an environment variable refers to a Secret that does not exist before the deadline",
			Pod: within(secretEnv("true"), stuckFor), Play: play(containers.Script{}),
			During: untilReported(`secret "credentials" not found`),
			Want:   timedOut(`container "main"`),
		},
		{
			Name: "late-secret", Shows: "the missing Secret is created once the step has reported it",
			Pod: secretEnv(`[ "$TOKEN" = sesame ]`),
			During: func(ctx context.Context, r *Run) error {
				if err := r.reportedReason(ctx, "CreateContainerConfigError"); err != nil {
					return err
				}
				return r.secret(ctx, "credentials", "token", "sesame")
			},
			Want: Want{Succeeded: true, Pods: pods(1, succeeded), Reported: []string{`secret "credentials" not found`}},
		},
		{
			Name: "missing-secret-volume", Shows: "a volume refers to a Secret that does not exist before the deadline",
			Pod: within(noVolume, stuckFor), Play: play(containers.Script{}),
			During: untilEvent("FailedMount", `secret "credentials" not found`),
			Want:   timedOut(`before container "main" had started: ContainerCreating`),
		},
		{
			Name: "missing-service-account", Shows: "the pod's ServiceAccount does not exist, so no pod is created before the deadline",
			Pod: within(noAccount, stuckFor), Play: play(containers.Script{}),
			During: untilEvent("FailedCreate", `serviceaccount "missing" not found`),
			Want:   Want{Err: kontinue.ErrDeadlineExceeded, ErrText: []string{"no pod was created: FailedCreate: "}},
		},
		{
			Name: "unschedulable", Shows: "the pod is unschedulable until the deadline, since no node has 1000 CPUs",
			Pod: within(huge, stuckFor), Play: play(containers.Script{}),
			During: untilReported("Unschedulable"),
			Want: Want{
				Pods: pods(1, pending), Message: []string{"DeadlineExceeded", "pod is unschedulable", "Insufficient cpu"},
				Exit: &WantExit{Reason: "DeadlineExceeded", Is: kontinue.ErrDeadlineExceeded},
			},
		},
		{
			Name: "cancel-unschedulable", Shows: "the Execution is canceled once the step has reported that no node fits",
			Race: "the Job controller counts the pod as failed, or deletes it before that",
			Pod:  huge, Play: play(containers.Script{}),
			During: func(ctx context.Context, r *Run) error {
				if err := r.reportedReason(ctx, "Unschedulable"); err != nil {
					return err
				}
				return r.Client.Cancel(ctx, r.Context.Execution())
			},
			Want: Want{
				Pods: pods(1, pending), Message: []string{"Canceled", "Insufficient cpu"},
				Exit: &WantExit{Reason: "DeadlineExceeded", Is: kontinue.ErrCanceled},
			},
		},
	}
}
