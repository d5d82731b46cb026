package pods_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

func TestOutcome(t *testing.T) {
	t.Parallel()
	ok := exited(0, "Completed", 5, "")
	creating := waiting("PodInitializing", "")
	unschedulable := condition(corev1.PodScheduled, corev1.ConditionFalse, "Unschedulable", "0/3 nodes are available: 3 Insufficient cpu.")
	tests := []struct {
		name      string
		pod       *corev1.Pod
		deleted   bool
		succeeded bool
		first     string
		cause     string
		explain   string
	}{
		{name: "success", pod: pod("Succeeded", mainC("main", ok)), succeeded: true},
		{name: "success with init and two containers",
			pod: pod("Succeeded", initC("prepare", ok), mainC("a", ok), mainC("b", ok)), succeeded: true},
		{name: "success although the sidecar was killed",
			pod: pod("Succeeded", sidecarC("proxy", exited(137, "Error", 9, "")), mainC("main", ok)), succeeded: true},
		{name: "success although the sidecar was OOMKilled",
			pod: pod("Succeeded", sidecarC("proxy", exited(137, "OOMKilled", 3, "")), mainC("main", ok)), succeeded: true},
		{name: "containers exited with 0, phase not updated yet", pod: pod("Running", mainC("main", ok)), succeeded: true},
		{name: "evicted by API, but exited with 0",
			pod: pod("Succeeded", mainC("main", ok), condition(corev1.DisruptionTarget, "True", "EvictionByEvictionAPI", "Eviction API: evicting")), succeeded: true},

		{name: "exit 3", pod: pod("Failed", mainC("main", exited(3, "Error", 5, "first\nno such table\n"))),
			first: "main", cause: "Error", explain: `container "main" failed: exit code 3: no such table`},
		{name: "SIGKILL", pod: pod("Failed", mainC("main", exited(137, "Error", 5, ""))),
			first: "main", cause: "Error", explain: `container "main" failed: exit code 137 (SIGKILL)`},
		{name: "SIGTERM", pod: pod("Failed", mainC("main", exited(143, "Error", 5, ""))),
			first: "main", cause: "Error", explain: `container "main" failed: exit code 143 (SIGTERM)`},
		{name: "signal field", pod: pod("Failed", mainC("main", corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Signal: 11, FinishedAt: at(3)}})),
			first: "main", cause: "Error", explain: `container "main" failed: exit code 0 (SIGSEGV)`},
		{name: "unnamed signal", pod: pod("Failed", mainC("main", corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Signal: 40}})),
			first: "main", cause: "Error", explain: `container "main" failed: exit code 137 (signal 40)`},
		{name: "OOMKilled", pod: pod("Failed", mainC("main", exited(137, "OOMKilled", 5, ""))),
			first: "main", cause: "OOMKilled", explain: `container "main" was OOMKilled (out of memory): exit code 137 (SIGKILL)`},
		{name: "OOMKilled child, exit 1", pod: pod("Failed", mainC("main", exited(1, "OOMKilled", 5, ""))),
			first: "main", cause: "OOMKilled", explain: `container "main" was OOMKilled (out of memory): exit code 1`},
		{name: "OOMKilled child, exit 0", pod: pod("Succeeded", mainC("main", exited(0, "OOMKilled", 5, ""))),
			first: "main", cause: "OOMKilled", explain: `container "main" was OOMKilled (out of memory): exit code 0`},
		{name: "OOMKilled init", pod: pod("Failed", initC("prepare", exited(137, "OOMKilled", 5, "")), mainC("main", creating)),
			first: "prepare", cause: "OOMKilled", explain: `init container "prepare" was OOMKilled (out of memory): exit code 137 (SIGKILL)`},
		{name: "second of three inits",
			pod:   pod("Failed", initC("one", ok), initC("two", exited(2, "Error", 7, "boom")), initC("three", creating), mainC("main", creating)),
			first: "two", cause: "Error", explain: `init container "two" failed: exit code 2: boom`},
		{name: "the main container decides, not the sidecar",
			pod:   pod("Failed", sidecarC("proxy", exited(1, "Error", 2, "")), mainC("main", exited(4, "Error", 5, ""))),
			first: "main", cause: "Error", explain: `container "main" failed: exit code 4`},
		{name: "one of two fails", pod: pod("Failed", mainC("a", ok), mainC("b", exited(1, "Error", 9, ""))),
			first: "b", cause: "Error", explain: `container "b" failed: exit code 1`},
		{name: "the first to fail, not the first listed",
			pod:   pod("Failed", mainC("a", exited(143, "Error", 9, "")), mainC("b", exited(1, "Error", 4, ""))),
			first: "b", cause: "Error", explain: `container "b" failed: exit code 1`},
		{name: "same second: order of the spec",
			pod:   pod("Failed", mainC("a", exited(1, "Error", 4, "")), mainC("b", exited(2, "Error", 4, ""))),
			first: "a", cause: "Error", explain: `container "a" failed: exit code 1`},
		{name: "a lost container comes last",
			pod:   pod("Failed", mainC("a", exited(137, "ContainerStatusUnknown", 0, "")), mainC("b", exited(2, "Error", 4, ""))),
			first: "b", cause: "Error", explain: `container "b" failed: exit code 2`},
		{name: "a lost container comes last, also with a time",
			pod:   pod("Failed", mainC("a", exited(137, "ContainerStatusUnknown", 1, "")), mainC("b", exited(2, "Error", 4, ""))),
			first: "b", cause: "Error", explain: `container "b" failed: exit code 2`},
		{name: "an init container before a main one, whatever their times",
			pod:   pod("Failed", mainC("main", exited(1, "Error", 3, "")), initC("prepare", exited(2, "Error", 8, ""))),
			first: "prepare", cause: "Error", explain: `init container "prepare" failed: exit code 2`},
		{name: "a disruption that was withdrawn",
			pod:   pod("Failed", mainC("main", exited(1, "Error", 3, "")), condition(corev1.DisruptionTarget, "False", "PreemptionByScheduler", "no")),
			first: "main", cause: "Error", explain: `container "main" failed: exit code 1`},
		{name: "ContainerStatusUnknown",
			pod:   pod("Failed", mainC("main", exited(137, "ContainerStatusUnknown", 0, "The container could not be located when the pod was terminated"))),
			first: "main", cause: "ContainerStatusUnknown",
			explain: `container "main" was lost: ContainerStatusUnknown, exit code 137 (SIGKILL): The container could not be located when the pod was terminated`},
		{name: "StartError",
			pod:   pod("Failed", mainC("main", exited(128, "StartError", 2, `failed to create containerd task: exec: "nope": executable file not found in $PATH`))),
			first: "main", cause: "StartError",
			explain: `container "main" failed: StartError, exit code 128: failed to create containerd task: exec: "nope": executable file not found in $PATH`},
		{name: "ContainerCannotRun", pod: pod("Failed", mainC("main", exited(128, "ContainerCannotRun", 2, ""))),
			first: "main", cause: "ContainerCannotRun", explain: `container "main" failed: ContainerCannotRun, exit code 128`},

		{name: "node-pressure eviction",
			pod:   pod("Failed", mainC("main", exited(137, "Error", 5, "")), reason("Evicted", "The node was low on resource: memory."), condition(corev1.DisruptionTarget, "True", "TerminationByKubelet", "evicted")),
			first: "main", cause: "Evicted",
			explain: `pod Evicted (TerminationByKubelet): The node was low on resource: memory.; container "main" failed: exit code 137 (SIGKILL)`},
		{name: "evicted while pending", pod: pod("Failed", mainC("main", waiting("ContainerCreating", "")), reason("Evicted", "The node had condition: [DiskPressure].")),
			cause: "Evicted", explain: "pod Evicted: The node had condition: [DiskPressure]."},
		{name: "eviction API",
			pod:   pod("Failed", mainC("main", exited(143, "Error", 5, "")), condition(corev1.DisruptionTarget, "True", "EvictionByEvictionAPI", "Eviction API: evicting"), deleting),
			first: "main", cause: "EvictionByEvictionAPI",
			explain: `pod disrupted: EvictionByEvictionAPI: Eviction API: evicting; container "main" failed: exit code 143 (SIGTERM)`},
		{name: "preempted before it started",
			pod:   pod("Failed", mainC("main", creating), condition(corev1.DisruptionTarget, "True", "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod")),
			cause: "PreemptionByScheduler", explain: "pod disrupted: PreemptionByScheduler: default-scheduler: preempting to accommodate a higher priority pod"},
		{name: "stopped by the kubelet, exited with 0",
			pod:   pod("Failed", mainC("main", ok), reason("Terminated", "Pod was terminated in response to imminent node shutdown.")),
			cause: "Terminated", explain: "pod Terminated: Pod was terminated in response to imminent node shutdown."},
		{name: "the pod's own deadline", pod: pod("Failed", mainC("main", exited(137, "Error", 9, "")), reason("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")),
			first: "main", cause: "DeadlineExceeded",
			explain: `pod DeadlineExceeded: Pod was active on the node longer than the specified deadline; container "main" failed: exit code 137 (SIGKILL)`},
		{name: "node lost", pod: pod("Unknown", mainC("main", running()), reason("NodeLost", "Node node-1 which was running pod is unresponsive")),
			cause: "NodeLost", explain: "pod NodeLost: Node node-1 which was running pod is unresponsive"},
		{name: "deleted while running, as by a Job's deadline", pod: pod("Running", mainC("main", running()), deleting), deleted: true,
			cause: "Deleted", explain: `pod was deleted while container "main" was running`},
		{name: "deleted while pending", pod: pod("Pending", mainC("main", waiting("ContainerCreating", "")), deleting), deleted: true,
			cause: "Deleted", explain: `pod ended before container "main" had started: ContainerCreating`},
		{name: "restarted, then deleted (restartPolicy OnFailure)",
			pod: pod("Running", mainC("main", waiting("CrashLoopBackOff", "back-off 10s restarting failed container")), func(p *corev1.Pod) {
				p.Status.ContainerStatuses[0].RestartCount = 1
				p.Status.ContainerStatuses[0].LastTerminationState = exited(3, "Error", 4, "")
			}),
			cause: "CrashLoopBackOff", explain: `container "main" is waiting: CrashLoopBackOff after exit code 3: back-off 10s restarting failed container`},

		{name: "unschedulable", pod: pod("Pending", mainC("main", corev1.ContainerState{}), noStatus, unschedulable),
			cause: "Unschedulable", explain: "pod is unschedulable: 0/3 nodes are available: 3 Insufficient cpu."},
		{name: "ErrImagePull", pod: pod("Pending", mainC("main", waiting("ErrImagePull", `failed to pull and unpack image: not found`))),
			cause: "ErrImagePull", explain: `container "main" is waiting: ErrImagePull, image "registry.example/main:1": failed to pull and unpack image: not found`},
		{name: "ErrImageNeverPull", pod: pod("Pending", mainC("main", waiting("ErrImageNeverPull", "Container image is not present with pull policy of Never"))),
			cause: "ErrImageNeverPull", explain: `container "main" is waiting: ErrImageNeverPull, image "registry.example/main:1": Container image is not present with pull policy of Never`},
		{name: "InvalidImageName", pod: pod("Pending", mainC("main", waiting("InvalidImageName", "couldn't parse image name"))),
			cause: "InvalidImageName", explain: `container "main" is waiting: InvalidImageName, image "registry.example/main:1": couldn't parse image name`},
		{name: "CreateContainerConfigError", pod: pod("Pending", mainC("main", waiting("CreateContainerConfigError", `secret "db" not found`))),
			cause: "CreateContainerConfigError", explain: `container "main" is waiting: CreateContainerConfigError, image "registry.example/main:1": secret "db" not found`},
		{name: "an init container's image", pod: pod("Pending", initC("prepare", waiting("ImagePullBackOff", "back-off")), mainC("main", creating)),
			cause: "ImagePullBackOff", explain: `init container "prepare" is waiting: ImagePullBackOff, image "registry.example/prepare:1": back-off`},
		{name: "a sidecar's image blocks the pod", pod: pod("Pending", sidecarC("proxy", waiting("ErrImagePull", "denied")), mainC("main", creating)),
			cause: "ErrImagePull", explain: `sidecar "proxy" is waiting: ErrImagePull, image "registry.example/proxy:1": denied`},

		{name: "starting", pod: pod("Pending", mainC("main", waiting("ContainerCreating", ""))), explain: `container "main" is waiting: ContainerCreating`},
		{name: "running", pod: pod("Running", mainC("main", running())), explain: `container "main" has not ended: state Running`},
		{name: "status missing", pod: pod("Succeeded", mainC("main", ok), noStatus), explain: `container "main" has not ended: state Unknown`},
		{name: "one status missing", pod: pod("Succeeded", mainC("a", ok), func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "b"})
		}), explain: `container "b" has not ended: state Unknown`},
		{name: "Failed and nothing else", pod: pod("Failed", mainC("main", ok), noStatus, noSpec), cause: "Error", explain: "pod Failed without a reason"},
		{name: "Failed with a message", pod: pod("Failed", noSpec, reason("", "went away")), cause: "Error", explain: "pod Failed: went away"},
		{name: "no container at all", pod: pod("Succeeded"), explain: "pod has no container status: phase Succeeded"},
		{name: "no spec, statuses count", pod: pod("Succeeded", initC("i", ok), mainC("main", ok), noSpec), succeeded: true},
		{name: "no spec, a failed init", pod: pod("Failed", initC("i", exited(1, "Error", 2, "")), mainC("main", creating), noSpec),
			first: "i", cause: "Error", explain: `init container "i" failed: exit code 1`},
		{name: "only sidecars", pod: pod("Succeeded", sidecarC("proxy", ok)), explain: "pod has no container status: phase Succeeded"},
		{name: "nil pod", explain: "pod has no container status: phase Unknown"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := pods.Inspect(tt.pod)
			o.Deleted = tt.deleted
			require.Equal(t, tt.succeeded, o.Succeeded())
			first, found := o.FirstFailure()
			require.Equal(t, tt.first, first.Name)
			require.Equal(t, tt.first != "", found)
			require.Equal(t, tt.cause, o.Cause())
			require.Equal(t, tt.explain, o.Explain())
			require.NotContains(t, o.Explain(), canary)

			// Decoding a record returns an equal outcome.
			text, cut, err := pods.Encode([]pods.Outcome{o}, 0)
			require.NoError(t, err)
			require.False(t, cut)
			require.NotContains(t, text, canary)
			back, cut, err := pods.Decode(text)
			require.NoError(t, err)
			require.False(t, cut)
			require.Equal(t, []pods.Outcome{o}, back)

			// And so does inspecting the pod restored from it.
			again := pods.Inspect(pods.Restore("default", back[0]))
			again.Deleted, again.Terminating = o.Deleted, o.Terminating
			require.Equal(t, o, again)
		})
	}
}

func TestInspectReadsIdentityAndTimes(t *testing.T) {
	t.Parallel()
	p := pod("Failed",
		initC("prepare", exited(0, "Completed", 3, "")),
		mainC("a", exited(1, "Error", 8, "x")), mainC("b", exited(1, "Error", 6, "")), deleting)
	p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: "7"}
	o := pods.Inspect(p)

	require.Equal(t, "step-abcde", o.Name)
	require.EqualValues(t, "uid-1", o.UID)
	require.Equal(t, "node-1", o.Node)
	require.Equal(t, corev1.PodFailed, o.Phase)
	require.Equal(t, 7, *o.Index)
	require.True(t, o.Terminating)
	require.Equal(t, at(0).Time, o.StartedAt)
	require.Equal(t, at(8).Time, o.FinishedAt)
	require.Equal(t, pods.ContainerOutcome{
		Name: "a", Kind: pods.KindMain, State: "Terminated", ExitCode: 1, Reason: "Error", Message: "x",
		Image: "registry.example/a:1", StartedAt: at(1).Time, FinishedAt: at(8).Time,
	}, o.Containers[1])
	require.Equal(t, pods.KindInit, o.Containers[0].Kind)
}

func TestInspectRestartedContainer(t *testing.T) {
	t.Parallel()
	p := pod("Running", mainC("main", running()))
	p.Status.ContainerStatuses[0].LastTerminationState = exited(3, "Error", 4, "")
	p.Status.ContainerStatuses[0].RestartCount = 2
	o := pods.Inspect(p)
	require.Zero(t, o.FinishedAt, "the pod has not finished")
	require.Equal(t, pods.ContainerOutcome{
		Name: "main", Kind: pods.KindMain, State: "Running", ExitCode: 3, Image: "registry.example/main:1", Restarts: 2,
		StartedAt: at(1).Time, FinishedAt: at(4).Time,
		Previous: &pods.ContainerOutcome{State: "Terminated", ExitCode: 3, Reason: "Error", FinishedAt: at(4).Time},
	}, o.Containers[0])
	require.False(t, o.Succeeded())
}

// TestCrashLoopBackOffDoesNotHideOOMKilled: the wait for the next try is what its state
// says, and the memory is what it waits because of.
func TestCrashLoopBackOffDoesNotHideOOMKilled(t *testing.T) {
	t.Parallel()
	loop := func(p *corev1.Pod) *corev1.Pod {
		p.Status.ContainerStatuses[0].LastTerminationState = exited(137, "OOMKilled", 4, "")
		p.Status.ContainerStatuses[0].RestartCount = 2
		return p
	}
	p := loop(pod("Running", mainC("main", waiting("CrashLoopBackOff", "back-off 20s restarting failed container"))))
	phase, reason, message := pods.Progress(p)
	require.Equal(t, "Running", phase)
	require.Equal(t, "OOMKilled", reason)
	require.Equal(t, `container "main" is waiting: CrashLoopBackOff after it was OOMKilled (out of memory): exit code 137 (SIGKILL): back-off 20s restarting failed container`, message)
	o := pods.Inspect(p)
	require.True(t, o.OOMKilled())
	require.Equal(t, "OOMKilled", o.Cause())
	require.Equal(t, o, pods.Inspect(pods.Restore("default", o)))

	// One that fails for another reason still says how it waits.
	p.Status.ContainerStatuses[0].LastTerminationState = exited(1, "Error", 4, "")
	_, reason, message = pods.Progress(p)
	require.Equal(t, "CrashLoopBackOff", reason)
	require.Contains(t, message, "after exit code 1")

	// Then the Job stops the pod while it tries again: the SIGTERM hides nothing either.
	p = loop(pod("Failed", mainC("main", exited(143, "Error", 52, "")), deleting))
	o = pods.Inspect(p)
	first, failed := o.FirstFailure()
	require.True(t, failed)
	require.Equal(t, int32(137), first.ExitCode)
	require.Equal(t, "OOMKilled", o.Cause())
	require.Contains(t, o.Explain(), "was OOMKilled")
}

func TestInspectReadsTheIndexFromLabelOrAnnotation(t *testing.T) {
	t.Parallel()
	index := func(annotation, label string) *int {
		p := pod("Succeeded")
		p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: annotation}
		p.Labels = map[string]string{batchv1.JobCompletionIndexAnnotation: label}
		return pods.Inspect(p).Index
	}
	require.Equal(t, 3, *index("3", ""))
	require.Equal(t, 4, *index("", "4"))
	require.Nil(t, index("-1", "x"))
}

func TestSettled(t *testing.T) {
	t.Parallel()
	tracked := func(p *corev1.Pod) { p.Finalizers = []string{batchv1.JobTrackingFinalizer} }
	other := func(p *corev1.Pod) { p.Finalizers = []string{"example.com/keep"} }
	require.True(t, pods.Settled(pod("Succeeded")))
	require.True(t, pods.Settled(pod("Failed", other)))
	require.False(t, pods.Settled(pod("Succeeded", tracked)))
	require.False(t, pods.Settled(pod("Running")), "running pods of a stopped Job lose the finalizer too")
	require.False(t, pods.Settled(pod("Unknown")))
	require.False(t, pods.Settled(nil))
}

func TestProgress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                   string
		pod                    *corev1.Pod
		phase, reason, message string
	}{
		{"none", nil, "", "", ""},
		{"new", pod("Pending"), "Pending", "", ""},
		{"unschedulable", pod("Pending", condition(corev1.PodScheduled, "False", "Unschedulable", "0/1 nodes")), "Pending", "Unschedulable", "pod is unschedulable: 0/1 nodes"},
		{"creating", pod("Pending", mainC("main", waiting("ContainerCreating", ""))), "Pending", "ContainerCreating", ""},
		{"pulling fails", pod("Pending", initC("i", waiting("ErrImagePull", "denied")), mainC("main", waiting("PodInitializing", ""))),
			"Pending", "ErrImagePull", `init container "i" is waiting: ErrImagePull, image "registry.example/i:1": denied`},
		{"running", pod("Running", mainC("main", running())), "Running", "", ""},
		{"being deleted", pod("Running", mainC("main", running()), deleting), "Running", "Terminating", ""},
		{"succeeded", pod("Succeeded", mainC("main", exited(0, "Completed", 2, ""))), "Succeeded", "", ""},
		{"failed", pod("Failed", mainC("main", exited(3, "Error", 2, "no"))), "Failed", "Error", `container "main" failed: exit code 3: no`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			phase, reason, message := pods.Progress(tt.pod)
			require.Equal(t, tt.phase, phase)
			require.Equal(t, tt.reason, reason)
			require.Equal(t, tt.message, message)
		})
	}
}

func TestUnstartedRestoresTheWaitingState(t *testing.T) {
	t.Parallel()
	waiting := pods.ContainerOutcome{Name: "main", Kind: pods.KindMain, State: "Waiting", Image: "nope:1", Reason: "ErrImagePull", Message: "not found"}
	unknown := pods.ContainerOutcome{Name: "main", Kind: pods.KindMain, State: "Terminated", ExitCode: 137, Reason: "ContainerStatusUnknown"}
	restarted := waiting
	restarted.Restarts = 1
	crashed := unknown
	crashed.Reason = "Error"
	for name, tc := range map[string]struct{ before, after, want pods.ContainerOutcome }{
		"never started":     {waiting, unknown, waiting},
		"was running":       {pods.ContainerOutcome{Name: "main", State: "Running"}, unknown, unknown},
		"had run before":    {restarted, unknown, unknown},
		"ran and failed":    {waiting, crashed, crashed},
		"another container": {pods.ContainerOutcome{Name: "other", State: "Waiting"}, unknown, unknown},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := pods.Outcome{Phase: corev1.PodFailed, Containers: []pods.ContainerOutcome{tc.after}}
			got := after.Unstarted(pods.Outcome{Phase: corev1.PodPending, Containers: []pods.ContainerOutcome{tc.before}})
			require.Equal(t, []pods.ContainerOutcome{tc.want}, got.Containers)
			require.Equal(t, []pods.ContainerOutcome{tc.after}, after.Containers, "the receiver was modified")
			require.False(t, got.Succeeded())
			_, failed := got.FirstFailure()
			require.Equal(t, tc.want.State == "Terminated", failed)
		})
	}
}
