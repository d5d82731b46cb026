package printers

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/ptr"
)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(time.Now().Add(-d)) }

func meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, CreationTimestamp: ago(2 * time.Hour)}
}

// pod has containers a and b, an init container and a native sidecar.
func pod(edit func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: meta("p"), Status: corev1.PodStatus{Phase: corev1.PodRunning}}
	p.Spec.Containers = []corev1.Container{{Name: "a"}, {Name: "b"}}
	p.Spec.InitContainers = []corev1.Container{{Name: "init"}, {Name: "sidecar", RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways)}}
	edit(p)
	return p
}

func runningIn(name string, ready bool) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, Ready: ready, Started: ptr.To(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}
}

func waitingIn(name, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}}
}

func exited(name string, code int32, reason string) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason}}}
}

func restarted(c corev1.ContainerStatus, n int32, finished time.Duration) corev1.ContainerStatus {
	c.RestartCount = n
	c.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{FinishedAt: ago(finished)}
	return c
}

func TestPodRows(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		edit                    func(*corev1.Pod)
		ready, status, restarts string
	}{
		"pending": {func(p *corev1.Pod) { p.Status.Phase = corev1.PodPending }, "0/3", "Pending", "0"},
		"evicted": {func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted" }, "0/3", "Evicted", "0"},
		"gated": {func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Reason: "SchedulingGated"}}
		}, "0/3", "SchedulingGated", "0"},
		"init waits": {func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{waitingIn("init", "PodInitializing")}
		}, "0/3", "Init:0/2", "0"},
		"init image": {func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{waitingIn("init", "ErrImagePull")}
		}, "0/3", "Init:ErrImagePull", "0"},
		"init failed": {func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{restarted(exited("init", 3, ""), 2, time.Minute)}
		}, "0/3", "Init:ExitCode:3", "2 (60s ago)"},
		"init error": {func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{exited("init", 3, "Error")}
		}, "0/3", "Init:Error", "0"},
		"sidecar starting": {func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{exited("init", 0, "Completed"), waitingIn("sidecar", "")}
		}, "0/3", "Init:1/2", "0"},
		"all ready": {func(p *corev1.Pod) {
			p.Status.InitContainerStatuses = []corev1.ContainerStatus{restarted(exited("init", 0, "Completed"), 5, time.Minute), restarted(runningIn("sidecar", true), 1, time.Hour)}
			p.Status.ContainerStatuses = []corev1.ContainerStatus{runningIn("a", true), restarted(runningIn("b", true), 3, 10*time.Minute)}
		}, "3/3", "Running", "4 (10m ago)"},
		"first waits": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{waitingIn("a", "CrashLoopBackOff"), exited("b", 1, "Error")}
		}, "0/3", "CrashLoopBackOff", "0"},
		"one done": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{exited("a", 0, "Completed"), runningIn("b", true)}
		}, "1/3", "NotReady", "0"},
		"one done, ready": {func(p *corev1.Pod) {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
			p.Status.ContainerStatuses = []corev1.ContainerStatus{exited("a", 0, "Completed"), runningIn("b", true)}
		}, "1/3", "Running", "0"},
		"one failed": {func(p *corev1.Pod) {
			p.Status.ContainerStatuses = []corev1.ContainerStatus{exited("a", 0, "Completed"), exited("b", 1, "Error")}
		}, "0/3", "Error", "0"},
		"signal": {func(p *corev1.Pod) {
			c := exited("a", 137, "")
			c.State.Terminated.Signal = 9
			p.Status.ContainerStatuses = []corev1.ContainerStatus{c}
		}, "0/3", "Signal:9", "0"},
		"terminating": {func(p *corev1.Pod) { p.DeletionTimestamp = ptr.To(ago(0)) }, "0/3", "Terminating", "0"},
		"done, deleted": {func(p *corev1.Pod) {
			p.DeletionTimestamp, p.Status.Phase = ptr.To(ago(0)), corev1.PodSucceeded
			p.Status.ContainerStatuses = []corev1.ContainerStatus{exited("a", 0, "Completed")}
		}, "0/3", "Completed", "0"},
		"lost": {func(p *corev1.Pod) { p.DeletionTimestamp, p.Status.Reason = ptr.To(ago(0)), "NodeLost" }, "0/3", "Unknown", "0"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				row := For(corev1.SchemeGroupVersion.WithKind("Pod"), false).Row(pod(tc.edit))
				require.Equal(t, []any{"p", tc.ready, tc.status, tc.restarts, "120m"}, row.Cells[:5])
			})
		})
	}
	full := For(corev1.SchemeGroupVersion.WithKind("Pod"), false).Row(pod(func(p *corev1.Pod) {
		p.Status.Phase, p.Status.PodIPs, p.Spec.NodeName = corev1.PodFailed, []corev1.PodIP{{IP: "10.0.0.1"}}, "node-1"
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: "x"}, {ConditionType: "y"}}
		p.Status.Conditions = []corev1.PodCondition{{Type: "y", Status: corev1.ConditionTrue}}
	}))
	require.Equal(t, []any{"10.0.0.1", "node-1", "<none>", "1/2"}, full.Cells[5:])
	require.Equal(t, "Failed", full.Conditions[0].Reason)
}

func TestJobRows(t *testing.T) {
	t.Parallel()
	is := func(kinds ...batchv1.JobConditionType) func(*batchv1.Job) {
		return func(job *batchv1.Job) {
			for _, kind := range kinds {
				job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: kind, Status: corev1.ConditionTrue})
			}
		}
	}
	for name, tc := range map[string]struct {
		edit func(*batchv1.Job)
		want []any
	}{
		"new":       {func(*batchv1.Job) {}, []any{"Running", "0/1", ""}},
		"running":   {func(j *batchv1.Job) { j.Status.StartTime = ptr.To(ago(time.Minute)) }, []any{"Running", "0/1", "60s"}},
		"complete":  {is(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete), []any{"Complete", "0/1", ""}},
		"failed":    {is(batchv1.JobFailureTarget, batchv1.JobFailed), []any{"Failed", "0/1", ""}},
		"to fail":   {is(batchv1.JobFailureTarget), []any{"FailureTarget", "0/1", ""}},
		"to end":    {is(batchv1.JobSuccessCriteriaMet), []any{"SuccessCriteriaMet", "0/1", ""}},
		"suspended": {is(batchv1.JobSuspended, batchv1.JobFailureTarget), []any{"Suspended", "0/1", ""}},
		"deleted":   {func(j *batchv1.Job) { j.DeletionTimestamp = ptr.To(ago(0)) }, []any{"Terminating", "0/1", ""}},
		"parallel":  {func(j *batchv1.Job) { j.Spec.Parallelism, j.Status.Succeeded = ptr.To[int32](4), 1 }, []any{"Running", "1/1 of 4", ""}},
		"indexed":   {func(j *batchv1.Job) { j.Spec.Completions, j.Status.Succeeded = ptr.To[int32](4), 3 }, []any{"Running", "3/4", ""}},
		"took": {func(j *batchv1.Job) {
			j.Status.StartTime, j.Status.CompletionTime = ptr.To(ago(time.Hour)), ptr.To(ago(55*time.Minute))
		}, []any{"Running", "0/1", "5m"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				job := &batchv1.Job{ObjectMeta: meta("j")}
				job.Spec.Template.Spec.Containers = []corev1.Container{{Name: "a", Image: "x:1"}, {Name: "b", Image: "y:2"}}
				tc.edit(job)
				row := For(batchv1.SchemeGroupVersion.WithKind("Job"), false).Row(job)
				require.Equal(t, tc.want, row.Cells[1:4])
				require.Equal(t, []any{"120m", "a,b", "x:1,y:2", "<none>"}, row.Cells[4:])
			})
		})
	}
}

func TestOtherRows(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, coordination := corev1.SchemeGroupVersion, coordinationv1.SchemeGroupVersion
		node := &corev1.Node{ObjectMeta: meta("n"), Spec: corev1.NodeSpec{Unschedulable: true}}
		node.Labels = map[string]string{"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "gpu", "node-role.kubernetes.io/": ""}
		node.Status.Conditions = []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}
		node.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: "v1", KernelVersion: "6.1", Architecture: "amd64"}
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.2"}}
		for _, tc := range []struct {
			gvk  schema.GroupVersionKind
			obj  metav1.Object
			want []any
		}{
			{core.WithKind("ConfigMap"), &corev1.ConfigMap{ObjectMeta: meta("c"), Data: map[string]string{"a": ""}}, []any{"c", int64(1), "120m"}},
			{core.WithKind("Secret"), &corev1.Secret{ObjectMeta: meta("s"), Type: "Opaque"}, []any{"s", "Opaque", int64(0), "120m"}},
			{core.WithKind("Namespace"), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "ns"}, Status: corev1.NamespaceStatus{Phase: "Active"}}, []any{"ns", "Active", "<unknown>"}},
			{coordination.WithKind("Lease"), &coordinationv1.Lease{ObjectMeta: meta("l"), Spec: coordinationv1.LeaseSpec{HolderIdentity: ptr.To("me")}}, []any{"l", "me", "120m"}},
			{core.WithKind("Service"), &corev1.Service{ObjectMeta: meta("svc")}, []any{"svc", "120m"}},
			{core.WithKind("Node"), node, []any{"n", "Ready,SchedulingDisabled", "gpu,worker", "120m", "v1", "10.0.0.2", "<none>", "<unknown>", "6.1 (amd64)", "<unknown>"}},
			{core.WithKind("Node"), &corev1.Node{ObjectMeta: meta("n")}, []any{"n", "Unknown", "<none>", "120m", "", "<none>", "<none>", "<unknown>", "<unknown>", "<unknown>"}},
			{core.WithKind("Event"), &corev1.Event{
				ObjectMeta: meta("e"), Type: "Warning", Reason: "Failed", Message: " no \n", InvolvedObject: corev1.ObjectReference{Kind: "Pod", Name: "p", FieldPath: "spec"},
				Source: corev1.EventSource{Component: "kubelet", Host: "node-1"}, FirstTimestamp: ago(time.Hour), LastTimestamp: ago(time.Minute), Count: 4,
			}, []any{"60s", "Warning", "Failed", "pod/p", "spec", "kubelet, node-1", "no", "60m", int64(4), "e"}},
			{core.WithKind("Event"), &corev1.Event{
				ObjectMeta: meta("e"), InvolvedObject: corev1.ObjectReference{Kind: "Job"}, ReportingController: "job", EventTime: metav1.MicroTime(ago(time.Hour)),
				Series: &corev1.EventSeries{Count: 9, LastObservedTime: metav1.MicroTime(ago(time.Second))},
			}, []any{"1s", "", "", "job", "", "job", "", "60m", int64(9), "e"}},
			{core.WithKind("Event"), &corev1.Event{ObjectMeta: meta("e")}, []any{"<unknown>", "", "", "", "", "", "", "<unknown>", int64(1), "e"}},
		} {
			p := For(tc.gvk, false)
			require.Equal(t, tc.want, p.Row(tc.obj).Cells, tc.gvk.Kind)
			require.Len(t, p.Columns, len(tc.want), tc.gvk.Kind)
		}
		require.Equal(t, []any{"w", "120m"}, For(schema.GroupVersionKind{Kind: "Widget"}, true).Row(&metav1.PartialObjectMetadata{ObjectMeta: meta("w")}).Cells)
	})
}
