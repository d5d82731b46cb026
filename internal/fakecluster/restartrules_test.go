package fakecluster_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// ruled sets the restart policy of a container, and a rule for the exit code 42.
func ruled(c *corev1.Container, policy corev1.ContainerRestartPolicy, action corev1.ContainerRestartRuleAction) {
	c.RestartPolicy = &policy
	if action != "" {
		c.RestartPolicyRules = []corev1.ContainerRestartRule{{Action: action, ExitCodes: &corev1.ContainerRestartRuleOnExitCodes{
			Operator: corev1.ContainerRestartRuleOnExitCodesOpIn, Values: []int32{42},
		}}}
	}
}

// exits returns scripts of instances that end one after the other with the codes.
func exits(codes ...int32) []containers.Script {
	var scripts []containers.Script
	for _, code := range codes {
		scripts = append(scripts, containers.Script{Run: time.Second, Exit: containers.Exit{Code: code}})
	}
	return scripts
}

// TestRestartPolicies: the rules of a container go before its policy, and that before the
// policy of the pod, also for an init container.
func TestRestartPolicies(t *testing.T) {
	t.Parallel()
	const (
		never, onFailure = corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure
		again            = corev1.ContainerRestartRuleActionRestart
	)
	for name, tc := range map[string]struct {
		pod      corev1.RestartPolicy
		policy   corev1.ContainerRestartPolicy
		action   corev1.ContainerRestartRuleAction
		codes    []int32
		restarts int32 // of a main container; an init container has the same
		ends     int32
	}{
		"pod never":                {corev1.RestartPolicyNever, "", "", []int32{1, 0}, 0, 1},
		"pod on failure":           {corev1.RestartPolicyOnFailure, "", "", []int32{1, 0}, 1, 0},
		"never over on failure":    {corev1.RestartPolicyOnFailure, never, "", []int32{1, 0}, 0, 1},
		"on failure over never":    {corev1.RestartPolicyNever, onFailure, "", []int32{1, 2, 0}, 2, 0},
		"rule over never":          {corev1.RestartPolicyNever, never, again, []int32{42, 42, 0}, 2, 0},
		"rule for another code":    {corev1.RestartPolicyNever, never, again, []int32{42, 7, 0}, 1, 7},
		"rule of one on failure":   {corev1.RestartPolicyNever, onFailure, again, []int32{42, 7, 0}, 2, 0},
		"no rule over pod's never": {corev1.RestartPolicyNever, never, again, []int32{1}, 0, 1},
	} {
		for _, initial := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, init %v", name, initial), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					c := newCluster(t, fakecluster.Options{})
					c.On(containers.Match{Container: "tried"}, exits(tc.codes...)...)
					create(t, c, newJob("job", func(job *batchv1.Job) {
						spec := &job.Spec.Template.Spec
						spec.RestartPolicy = tc.pod
						*job.Spec.BackoffLimit = 6
						if tc.ends != 0 {
							*job.Spec.BackoffLimit = 0
						}
						tried := corev1.Container{Name: "tried", Image: "busybox:1"}
						if tc.policy != "" {
							ruled(&tried, tc.policy, tc.action)
						}
						if initial {
							spec.InitContainers = []corev1.Container{tried}
						} else {
							spec.Containers = []corev1.Container{tried}
						}
					}))
					job := ended(t, c, "job")
					require.Equal(t, tc.ends == 0, outcome(job) == "Complete/CompletionsReached")
					pod := podsOf(t, c, "job")[0]
					status := slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses)[0]
					require.NotNil(t, status.State.Terminated)
					require.Equal(t, tc.ends, status.State.Terminated.ExitCode)
					require.Equal(t, tc.restarts, status.RestartCount)
				})
			})
		}
	}
}

// TestRestartAll: all containers are removed and start again in their order, and the pod is
// Pending while an init container runs.
func TestRestartAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Container: "setup"}, containers.Script{Run: time.Second})
		c.On(containers.Match{Container: "main"}, containers.Script{Run: 10 * time.Second, Exit: containers.Exit{Code: 42}}, containers.Script{Run: 10 * time.Second})
		c.On(containers.Match{Container: "other"}, containers.Script{Run: containers.Forever, IgnoreTERM: true}, containers.Script{Run: 5 * time.Second})
		w, err := c.Clientset().CoreV1().Pods(ns).Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		create(t, c, newJob("job", func(job *batchv1.Job) {
			spec := &job.Spec.Template.Spec
			always := corev1.ContainerRestartPolicyAlways
			spec.InitContainers = []corev1.Container{
				{Name: "setup", Image: "busybox:1"},
				{Name: "proxy", Image: "busybox:1", RestartPolicy: &always},
			}
			spec.Containers = append(spec.Containers, corev1.Container{Name: "other", Image: "busybox:1"})
			ruled(&spec.Containers[0], corev1.ContainerRestartPolicyNever, corev1.ContainerRestartRuleActionRestartAllContainers)
		}))
		require.Equal(t, []string{
			"Pending setup=running proxy=- main=- other=-",
			"Running setup=0 proxy=running main=running other=running",
			"Running setup=0 proxy=running main=42 other=running restarting",
			"Running setup=removed/1 proxy=removed/1 main=removed/1 other=removed/1",
			"Pending setup=running/1 proxy=-/1 main=-/1 other=-/1",
			"Running setup=0/1 proxy=running/1 main=running/1 other=running/1",
			"Running setup=0/1 proxy=running/1 main=running/1 other=0/1",
			"Running setup=0/1 proxy=running/1 main=0/1 other=0/1",
			"Succeeded setup=0/1 proxy=137/1 main=0/1 other=0/1",
		}, podStates(w))
		pod := podsOf(t, c, "job")[0]
		for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			require.Equal(t, &corev1.ContainerStateTerminated{
				ExitCode: 137, Reason: "RestartingAllContainers", Message: "The container is removed because RestartAllContainers in place",
			}, s.LastTerminationState.Terminated, s.Name)
		}
	})
}

// podStates returns the different states of the containers that a watch shows until the pod
// has ended.
func podStates(w watch.Interface) []string {
	defer w.Stop()
	var states []string
	for event := range w.ResultChan() {
		pod, ok := event.Object.(*corev1.Pod)
		if !ok || len(pod.Status.ContainerStatuses) == 0 {
			continue
		}
		state := string(pod.Status.Phase)
		for _, s := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
			state += " " + s.Name + "=" + containerState(s)
			if s.RestartCount > 0 {
				state += fmt.Sprint("/", s.RestartCount)
			}
		}
		for _, c := range pod.Status.Conditions {
			if c.Type == corev1.AllContainersRestarting && c.Status == corev1.ConditionTrue {
				state += " restarting"
			}
		}
		states = append(states, state)
		if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
			break
		}
	}
	return slices.Compact(states)
}

func containerState(s corev1.ContainerStatus) string {
	switch {
	case s.State.Running != nil:
		return "running"
	case s.State.Terminated != nil:
		return fmt.Sprint(s.State.Terminated.ExitCode)
	case strings.HasPrefix(s.State.Waiting.Reason, "Restarting"):
		return "removed"
	}
	return "-"
}
