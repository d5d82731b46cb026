package starts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/starts"
)

var startOfAll = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// sec is a time in seconds after the pod was created.
func sec(seconds int) metav1.Time {
	return metav1.NewTime(startOfAll.Add(time.Duration(seconds) * time.Second))
}

// boundPod is a pod with an init container and a main one that was bound after 100 s, on a
// node whose clock is an hour behind.
func boundPod(init, main corev1.ContainerState) *corev1.Pod {
	started := sec(101 - 3600)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", CreationTimestamp: sec(0)},
		Spec: corev1.PodSpec{
			NodeName: "node", InitContainers: []corev1.Container{{Name: "init"}}, Containers: []corev1.Container{{Name: "main"}},
		},
		Status: corev1.PodStatus{
			Phase: corev1.PodPending, StartTime: &started,
			Conditions:            []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: sec(100)}},
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "init", State: init}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: "main", Image: "i", State: main}},
		},
	}
}

func waitingFor(reason string) corev1.ContainerState {
	return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: "because"}}
}

func ended(code int32, finished metav1.Time) corev1.ContainerState {
	return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, FinishedAt: finished}}
}

func TestStallOf(t *testing.T) {
	t.Parallel()
	isRunning := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	unbound := func(reason string) *corev1.Pod {
		p := boundPod(corev1.ContainerState{}, corev1.ContainerState{})
		p.Spec.NodeName, p.Status = "", corev1.PodStatus{Phase: corev1.PodPending}
		if reason != "" {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: reason, Message: "because", LastTransitionTime: sec(50)}}
		}
		return p
	}
	change := func(p *corev1.Pod, how func(*corev1.Pod)) *corev1.Pod {
		how(p)
		return p
	}
	sidecar := func(p *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers[0].RestartPolicy = &always
	}
	restarted := func(p *corev1.Pod) { p.Status.ContainerStatuses[0].RestartCount = 1 }
	for name, tc := range map[string]struct {
		pod    *corev1.Pod
		key    string // empty: not stalled
		reason string
		since  metav1.Time
	}{
		"no word of the scheduler":     {unbound(""), "Unschedulable", "Unschedulable", sec(0)},
		"unschedulable":                {unbound("Unschedulable"), "Unschedulable", "Unschedulable", sec(0)},
		"the scheduler fails":          {unbound("SchedulerError"), "Unschedulable", "SchedulerError", sec(0)},
		"gated":                        {unbound("SchedulingGated"), "SchedulingGated", "SchedulingGated", sec(0)},
		"no word of the kubelet":       {change(boundPod(corev1.ContainerState{}, corev1.ContainerState{}), func(p *corev1.Pod) { p.Status.InitContainerStatuses, p.Status.ContainerStatuses = nil, nil }), "ContainerCreating", "ContainerCreating", sec(100)},
		"init waits":                   {boundPod(waitingFor("ImagePullBackOff"), waitingFor("PodInitializing")), "ErrImagePull", "ErrImagePull", sec(100)},
		"init runs":                    {boundPod(isRunning, waitingFor("PodInitializing")), "", "", sec(0)},
		"init is restarted":            {change(boundPod(waitingFor("CrashLoopBackOff"), waitingFor("PodInitializing")), func(p *corev1.Pod) { p.Status.InitContainerStatuses[0].RestartCount = 1 }), "", "", sec(0)},
		"init has failed":              {boundPod(ended(1, sec(110-3600)), waitingFor("PodInitializing")), "", "", sec(0)},
		"main waits after init":        {boundPod(ended(0, sec(701-3600)), waitingFor("ErrImagePull")), "ErrImagePull", "ErrImagePull", sec(700)},
		"main waits, registry is away": {boundPod(ended(0, sec(101-3600)), waitingFor("RegistryUnavailable")), "ErrImagePull", "RegistryUnavailable", sec(100)},
		"main waits for a config":      {boundPod(ended(0, sec(101-3600)), waitingFor("CreateContainerConfigError")), "CreateContainerConfigError", "CreateContainerConfigError", sec(100)},
		"main waits, by another word":  {boundPod(ended(0, sec(101-3600)), waitingFor("RunContainerError")), "CreateContainerError", "RunContainerError", sec(100)},
		"bound by a node's slow clock": {change(boundPod(waitingFor("ErrImagePull"), waitingFor("PodInitializing")), func(p *corev1.Pod) { p.Status.Conditions[0].LastTransitionTime = sec(1 - 3600) }), "ErrImagePull", "ErrImagePull", sec(0)},
		"main runs":                    {boundPod(ended(0, sec(101-3600)), isRunning), "", "", sec(0)},
		"main is restarted":            {change(boundPod(ended(0, sec(101-3600)), waitingFor("ErrImagePull")), restarted), "", "", sec(0)},
		"main after a sidecar": {change(boundPod(corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: sec(161 - 3600)}}, waitingFor("PodInitializing")), sidecar),
			"ContainerCreating", "PodInitializing", sec(160)},
		"a sidecar waits": {change(boundPod(waitingFor("InvalidImageName"), waitingFor("PodInitializing")), sidecar), "InvalidImageName", "InvalidImageName", sec(100)},
		"one of two runs": {change(boundPod(ended(0, sec(101-3600)), isRunning), func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "other"})
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: "other", State: waitingFor("ErrImageNeverPull")})
		}), "ErrImageNeverPull", "ErrImageNeverPull", sec(100)},
		"two wait, one with a reason": {change(boundPod(ended(0, sec(101-3600)), waitingFor("ContainerCreating")), func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "other"})
			p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, corev1.ContainerStatus{Name: "other", State: waitingFor("ErrImagePull")})
		}), "ErrImagePull", "ErrImagePull", sec(100)},
		"has ended":        {change(boundPod(ended(0, sec(101-3600)), ended(0, sec(200-3600))), func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }), "", "", sec(0)},
		"is being deleted": {change(boundPod(ended(0, sec(101-3600)), isRunning), func(p *corev1.Pod) { p.DeletionTimestamp = new(sec(900)) }), "NodeLost", "NodeLost", sec(900)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, stalled := starts.StallOf(tc.pod)
			require.Equal(t, tc.key != "", stalled, "%+v", s)
			if !stalled {
				return
			}
			require.Contains(t, starts.DefaultLimits(), s.Key)
			require.Equal(t, tc.key, s.Key)
			require.Equal(t, tc.reason, s.Reason)
			require.Equal(t, tc.since.UTC(), s.Since)
			require.NotEmpty(t, s.Message)
		})
	}
}

// TestDefaultLimitsEndEverything: whatever a start waits for, and however its pod
// then dies, half an hour is enough, unless a scheduling gate holds it.
func TestDefaultLimitsEndEverything(t *testing.T) {
	t.Parallel()
	for key, limit := range starts.DefaultLimits() {
		if key == "SchedulingGated" {
			require.Zero(t, limit)
			continue
		}
		require.Positive(t, limit, key)
		require.LessOrEqual(t, limit, 25*time.Minute, key)
	}
}

func TestLimitsWith(t *testing.T) {
	t.Parallel()
	own := starts.Limits{"Unschedulable": 0, "NodeLost": time.Hour}
	all := starts.DefaultLimits().With(own)
	require.NoError(t, all.Validate())
	require.Zero(t, all["Unschedulable"])
	require.Equal(t, time.Hour, all["NodeLost"])
	require.Equal(t, 5*time.Minute, all["ErrImagePull"])
	require.Equal(t, 15*time.Minute, starts.DefaultLimits()["Unschedulable"], "the defaults are not changed")
	require.ErrorContains(t, starts.Limits{"errimagepull": 1}.Validate(), `"errimagepull"`)
}
