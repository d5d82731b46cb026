package scenarios

import (
	"bytes"
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// restartRules returns scenarios with containers that run again by rules of their own
// (KEP-5307), or together with all others of their pod (KEP-5532), although the pod has the
// restartPolicy Never. The file on the volume says which run it is.
func restartRules() []*Scenario {
	ruled := func(out *bytes.Buffer, action corev1.ContainerRestartRuleAction, shell string) *kontinue.PodOptions {
		o := &kontinue.PodOptions{Spec: change(pod(with(container("main", shell), mounts("work", "/work"), func(c *corev1.Container) {
			never := corev1.ContainerRestartPolicyNever
			c.RestartPolicy = &never
			c.RestartPolicyRules = []corev1.ContainerRestartRule{{
				Action: action, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
			}}
		})), func(s *corev1.PodSpec) {
			s.Volumes = []corev1.Volume{{Name: "work", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
		})}
		if out != nil {
			o.Logs = out
		}
		return o
	}
	const again = "if [ -e /work/second ]; then echo second; %s; fi; echo first; touch /work/second; sleep 2; exit 42"
	both := func(out *bytes.Buffer) func(context.Context, *Run) error {
		return func(_ context.Context, r *Run) error {
			// The report may have a gap: the kubelet of a busy node answers late.
			if l := r.Pod.LogReport; l == nil || l.Lines != 2 {
				return fmt.Errorf("the report on the log is %+v, want 2 lines", l)
			}
			return equalLog(out.String(), "first\nsecond\n")
		}
	}
	// inits returns a pod with an init container of the policy and the rules.
	inits := func(shell string, policy corev1.ContainerRestartPolicy, rules ...corev1.ContainerRestartRule) corev1.PodSpec {
		return change(pod(container("main", "echo main")), func(s *corev1.PodSpec) {
			s.InitContainers = []corev1.Container{with(container("setup", shell), mounts("work", "/work"), func(c *corev1.Container) {
				c.RestartPolicy, c.RestartPolicyRules = &policy, rules
			})}
			s.Volumes = []corev1.Volume{{Name: "work", VolumeSource: emptyDir()}}
		})
	}
	restarted := func(_ context.Context, r *Run) error {
		if n := r.Pod.Pod.Status.InitContainerStatuses[0].RestartCount; n != 1 {
			return fmt.Errorf("the init container was restarted %d times, want once", n)
		}
		return nil
	}
	initsAll := change(inits("echo setup", corev1.ContainerRestartPolicyNever), func(s *corev1.PodSpec) {
		s.Containers = ruled(nil, corev1.ContainerRestartRuleActionRestartAllContainers, fmt.Sprintf(again, "exit 0")).Spec.Containers
		s.Containers = append(s.Containers, container("other", hangUnless("/work/second")))
		mounts("work", "/work")(&s.Containers[1])
	})
	var succeeds, fails, all bytes.Buffer
	return []*Scenario{
		{
			Name: "restart-rule", Shows: "a rule of the container restarts it, and it succeeds", Needs: []Capability{RestartRules},
			Pod: ruled(&succeeds, corev1.ContainerRestartRuleActionRestart, fmt.Sprintf(again, "exit 0")), Want: podSucceeds(), After: both(&succeeds),
		},
		{
			Name: "restart-rule-and-failure", Shows: "a rule of the container restarts it, and it fails with another code", Needs: []Capability{RestartRules},
			Pod:  ruled(&fails, corev1.ContainerRestartRuleActionRestart, fmt.Sprintf(again, "exit 5")),
			Want: podFails(WantExit{Container: "main", Code: 5, Reason: "Error"}, "exit code 5"), After: both(&fails),
		},
		{
			Name: "restart-all", Shows: "a rule of the container restarts all containers of the pod", Needs: []Capability{RestartAll},
			Pod: ruled(&all, corev1.ContainerRestartRuleActionRestartAllContainers, fmt.Sprintf(again, "exit 0")), Want: podSucceeds(),
			After: func(context.Context, *Run) error {
				// The report may have a gap: the kubelet removes a container together with its log.
				return equalLog(all.String(), "first\nsecond\n")
			},
		},
		{
			Name: "restart-all-with-init", Shows: "a rule of a container restarts all containers of the pod, an init container and one that is running among them", Needs: []Capability{RestartAll},
			Pod: &kontinue.PodOptions{Spec: initsAll}, Want: podSucceeds(), After: restarted,
		},
		{
			Name: "init-restart-policy", Shows: "an init container with the restart policy OnFailure succeeds when it is restarted", Needs: []Capability{RestartRules},
			Pod: &kontinue.PodOptions{Spec: inits(fmt.Sprintf(again, "exit 0"), corev1.ContainerRestartPolicyOnFailure)}, Want: podSucceeds(), After: restarted,
		},
		{
			Name: "init-restart-rule", Shows: "a rule of an init container restarts it, and it fails with another code", Needs: []Capability{RestartRules},
			Pod: &kontinue.PodOptions{Spec: inits(fmt.Sprintf(again, "exit 5"), corev1.ContainerRestartPolicyNever, corev1.ContainerRestartRule{
				Action: corev1.ContainerRestartRuleActionRestart, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42}},
			})},
			Want: podFails(WantExit{Container: "setup", Code: 5, Reason: "Error", Is: kontinue.ErrInitContainer}, "exit code 5"), After: restarted,
		},
		{
			Name: "init-restart-never", Shows: "an init container with the restart policy Never fails in a pod with the restart policy OnFailure", Needs: []Capability{RestartRules},
			Job: &kontinue.JobOptions{Spec: batchv1.JobSpec{BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{
				Spec: change(inits("exit 4", corev1.ContainerRestartPolicyNever), func(s *corev1.PodSpec) { s.RestartPolicy = corev1.RestartPolicyOnFailure }),
			}}},
			Want: Want{FailedPods: 1, Pods: pods(1, failed), Message: []string{"exit code 4"}, Exit: &WantExit{Container: "setup", Code: 4, Reason: "Error", Is: kontinue.ErrInitContainer}},
		},
	}
}

// hangUnless runs until SIGTERM unless a file exists.
func hangUnless(file string) string { return "if [ -e " + file + " ]; then exit 0; fi; " + hang }
