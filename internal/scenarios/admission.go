package scenarios

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// admission returns scenarios in which the API server rejects Jobs or pods,
// temporarily or permanently.
func admission() []*Scenario {
	restricted := map[string]string{"pod-security.kubernetes.io/enforce": "restricted"}
	compliant := &kontinue.PodOptions{Spec: change(pod(with(container("main", "echo allowed"), func(c *corev1.Container) {
		c.SecurityContext = &corev1.SecurityContext{
			AllowPrivilegeEscalation: new(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		}
	})), func(s *corev1.PodSpec) {
		s.SecurityContext = &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: new(int64(65534)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		}
	})}
	script := &kontinue.ScriptOptions{Image: Image, Command: "true"}
	script.Timeout = stuckFor
	return []*Scenario{
		{
			Name: "quota-refuses-job", Shows: "a ResourceQuota rejects the Job",
			Pod: podOf("true"), Play: play(containers.Script{}),
			Before: func(ctx context.Context, r *Run) error { return r.quota(ctx, "count/jobs.batch") },
			Want:   Want{ErrText: []string{"exceeded quota: limit", "raise it"}},
		},
		{
			Name: "quota-refuses-pod", Shows: "a ResourceQuota rejects the pod until the deadline",
			Pod: within(podOf("true"), stuckFor), Play: play(containers.Script{}),
			Before: func(ctx context.Context, r *Run) error { return r.quota(ctx, "pods") },
			During: untilEvent("FailedCreate", "exceeded quota"),
			Want:   Want{Err: kontinue.ErrDeadlineExceeded, ErrText: []string{"no pod was created: FailedCreate: "}},
		},
		{
			Name: "quota-raised", Shows: "a ResourceQuota is raised after it has rejected the pod",
			Pod: podOf("true"), Play: play(containers.Script{}),
			Before: func(ctx context.Context, r *Run) error { return r.quota(ctx, "pods") },
			During: func(ctx context.Context, r *Run) error {
				if err := r.event(ctx, "FailedCreate", "exceeded quota"); err != nil {
					return err
				}
				return r.Admin.CoreV1().ResourceQuotas(r.Namespace).Delete(ctx, "limit", metav1.DeleteOptions{})
			},
			Want: podSucceeds(),
		},
		{
			Name: "webhook-denies", Shows: "an admission webhook denies the Job", Needs: []Capability{Webhooks},
			Pod: podOf("true"), Play: play(containers.Script{}),
			Before: func(ctx context.Context, r *Run) error {
				return r.intercept(ctx, func() Answer { return Answer{Deny: "images must come from the mirror"} })
			},
			Want: Want{ErrText: []string{`admission webhook "` + WebhookName + `" denied the request: images must come from the mirror`}},
		},
		{
			Name: "webhook-recovers", Shows: "an admission webhook fails twice and then admits the Job", Needs: []Capability{Webhooks},
			Pod: podOf("true"), Play: play(containers.Script{}),
			Before: func(ctx context.Context, r *Run) error {
				var calls atomic.Int32
				return r.intercept(ctx, func() Answer { return Answer{Broken: calls.Add(1) <= 2} })
			},
			Want: podSucceeds(),
		},
		{
			Name: "pod-security-refuses", Shows: "the Pod Security Standard restricted rejects the pod of a RunScript until the deadline",
			Labels: restricted, Script: script, Play: play(containers.Script{}, scriptContainer),
			During: untilEvent("FailedCreate", `violates PodSecurity "restricted`),
			Want:   Want{Err: kontinue.ErrDeadlineExceeded, ErrText: []string{"no pod was created: FailedCreate: "}},
		},
		{
			Name: "pod-security-template", Shows: "the Pod Security Standard restricted admits the pod of a RunScript under RestrictedPodTemplate",
			Labels: restricted, Script: &kontinue.ScriptOptions{Image: Image, Command: "echo allowed"}, Want: podSucceeds(),
			Configure: func(c *kontinue.Config) { c.PodTemplate = kontinue.RestrictedPodTemplate() },
		},
		{
			Name: "pod-security-passes", Shows: "the Pod Security Standard restricted admits a RunPod with a compliant security context",
			Labels: restricted, Pod: compliant, Want: podSucceeds(),
		},
	}
}

// quota allows none of a resource in the namespace, and waits until the limit is enforced,
// which is after the quota controller has counted for the first time.
func (r *Run) quota(ctx context.Context, name corev1.ResourceName) error {
	if err := r.quotaOf(ctx, name, 0); err != nil {
		return err
	}
	var last error
	err := eventually(ctx, func(ctx context.Context) (bool, error) {
		last = r.dryRun(ctx, name == "pods")
		return last != nil && strings.Contains(last.Error(), "exceeded quota"), nil
	})
	if err != nil {
		return fmt.Errorf("the quota is not enforced: %w; last response: %w", err, last)
	}
	return nil
}

// dryRun returns the error that the creation of a Job or pod would return.
func (r *Run) dryRun(ctx context.Context, aPod bool) error {
	options := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	template := corev1.PodTemplateSpec{Spec: pod(container("main", "true"))}
	template.Spec.RestartPolicy = corev1.RestartPolicyNever
	template.Spec.Containers[0].Image = r.cluster.Image()
	meta := metav1.ObjectMeta{Name: "probe", Namespace: r.Namespace}
	if aPod {
		_, err := r.Admin.CoreV1().Pods(r.Namespace).Create(ctx, &corev1.Pod{ObjectMeta: meta, Spec: template.Spec}, options)
		return err
	}
	_, err := r.Admin.BatchV1().Jobs(r.Namespace).Create(ctx, &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: template}}, options)
	return err
}

// intercept installs a webhook for the creation of Jobs and waits until the API server
// calls it. answer is called for the step's Jobs only.
func (r *Run) intercept(ctx context.Context, answer func() Answer) error {
	const probing = "the webhook is in effect"
	var ready atomic.Bool
	err := r.cluster.Intercept(ctx, r.test, r.Namespace, func() Answer {
		if ready.Load() {
			return answer()
		}
		return Answer{Deny: probing}
	})
	if err != nil {
		return err
	}
	err = eventually(ctx, func(ctx context.Context) (bool, error) {
		err := r.dryRun(ctx, false)
		return err != nil && strings.Contains(err.Error(), probing), nil
	})
	ready.Store(true)
	return err
}

// quotaOf creates a ResourceQuota.
func (r *Run) quotaOf(ctx context.Context, name corev1.ResourceName, limit int64) error {
	_, err := r.Admin.CoreV1().ResourceQuotas(r.Namespace).Create(ctx, &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "limit"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{name: *resource.NewQuantity(limit, resource.DecimalSI)}},
	}, metav1.CreateOptions{})
	return err
}
