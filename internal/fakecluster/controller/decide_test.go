package controller

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

var now = time.Date(2030, 1, 1, 12, 0, 0, 0, time.UTC)

// job returns a Job that has been running for a minute.
func job(edit ...func(*batchv1.Job)) *batchv1.Job {
	j := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "job", UID: "job-uid"},
		Spec:       batchv1.JobSpec{Completions: ptr.To[int32](1), Parallelism: ptr.To[int32](1)},
		Status:     batchv1.JobStatus{StartTime: ptr.To(metav1.NewTime(now.Add(-time.Minute)))},
	}
	for _, e := range edit {
		e(j)
	}
	return j
}

func withTrue(kinds ...batchv1.JobConditionType) func(*batchv1.Job) {
	return func(j *batchv1.Job) {
		for _, kind := range kinds {
			setCondition(&j.Status, kind, corev1.ConditionTrue, "TheReason", "the message", now)
		}
	}
}

// podIn returns a tracked pod in that phase, with options such as "deleting",
// "ready", "untracked", "index=3", "failures=2", "exit=5", "restarts=2",
// "finished=30s" (ago).
func podIn(name string, phase corev1.PodPhase, options ...string) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: name, UID: types.UID(name), CreationTimestamp: metav1.NewTime(now.Add(-time.Minute)),
			Finalizers: []string{batchv1.JobTrackingFinalizer}, Annotations: map[string]string{},
		},
		Status: corev1.PodStatus{Phase: phase},
	}
	main := corev1.ContainerStatus{Name: "main"}
	finished := now
	for _, o := range options {
		key, value, _ := strings.Cut(o, "=")
		var n int32
		_, _ = fmt.Sscan(value, &n)
		switch key {
		case "deleting":
			p.DeletionTimestamp = ptr.To(metav1.NewTime(now))
		case "untracked":
			p.Finalizers = nil
		case "ready":
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodReady, Status: corev1.ConditionTrue})
		case "bound":
			p.Spec.NodeName = "node"
		case "index":
			p.Annotations[batchv1.JobCompletionIndexAnnotation] = value
		case "failures":
			p.Annotations[batchv1.JobIndexFailureCountAnnotation] = value
		case "restarts":
			main.RestartCount = n
		case "exit":
			main.State.Terminated = &corev1.ContainerStateTerminated{ExitCode: n}
		case "finished":
			ago, err := time.ParseDuration(value)
			if err != nil {
				panic(err)
			}
			finished = now.Add(-ago)
		}
	}
	if terminal(p) {
		if main.State.Terminated == nil {
			main.State.Terminated = &corev1.ContainerStateTerminated{}
		}
		main.State.Terminated.FinishedAt = metav1.NewTime(finished)
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{main}
	return p
}

func view(j *batchv1.Job, pods ...*corev1.Pod) *facts {
	f := &facts{job: j, pods: pods, now: now, base: defaultPodBackoff, limit: defaultPodBackoffMax}
	f.gather()
	return f
}

func TestJudge(t *testing.T) {
	t.Parallel()
	indexed := func(completions int32) func(*batchv1.Job) {
		return func(j *batchv1.Job) {
			j.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion)
			j.Spec.Completions, j.Spec.Parallelism = &completions, &completions
		}
	}
	limit := func(n int32) func(*batchv1.Job) {
		return func(j *batchv1.Job) { j.Spec.BackoffLimit = &n }
	}
	deadline := func(seconds int64) func(*batchv1.Job) {
		return func(j *batchv1.Job) { j.Spec.ActiveDeadlineSeconds = &seconds }
	}
	onFailure := func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure }
	for name, tc := range map[string]struct {
		job  *batchv1.Job
		pods []*corev1.Pod
		want string
	}{
		"new":                   {job(), nil, ""},
		"running":               {job(), []*corev1.Pod{podIn("a", corev1.PodRunning)}, ""},
		"decided success":       {job(withTrue(batchv1.JobSuccessCriteriaMet)), nil, "SuccessCriteriaMet/TheReason"},
		"decided failure":       {job(withTrue(batchv1.JobFailureTarget)), nil, "FailureTarget/TheReason"},
		"success beats failure": {job(withTrue(batchv1.JobFailureTarget, batchv1.JobSuccessCriteriaMet)), nil, "SuccessCriteriaMet/TheReason"},
		"one failure, limit 0":  {job(limit(0)), []*corev1.Pod{podIn("a", corev1.PodFailed)}, "FailureTarget/BackoffLimitExceeded"},
		"one failure, limit 1":  {job(limit(1)), []*corev1.Pod{podIn("a", corev1.PodFailed)}, ""},
		"default limit":         {job(func(j *batchv1.Job) { j.Status.Failed = 6 }), []*corev1.Pod{podIn("a", corev1.PodFailed)}, "FailureTarget/BackoffLimitExceeded"},
		"counted before":        {job(limit(0)), []*corev1.Pod{podIn("a", corev1.PodFailed, "untracked")}, ""},
		"uncounted": {job(limit(0), func(j *batchv1.Job) {
			j.Status.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{Failed: []types.UID{"a"}}
		}), []*corev1.Pod{podIn("a", corev1.PodFailed)}, "FailureTarget/BackoffLimitExceeded"},
		"deleting counts":               {job(limit(0)), []*corev1.Pod{podIn("a", corev1.PodRunning, "deleting")}, "FailureTarget/BackoffLimitExceeded"},
		"deleting after success":        {job(limit(0)), []*corev1.Pod{podIn("a", corev1.PodSucceeded, "deleting")}, ""},
		"deleting, replace only failed": {job(limit(0), func(j *batchv1.Job) { j.Spec.PodReplacementPolicy = ptr.To(batchv1.Failed) }), []*corev1.Pod{podIn("a", corev1.PodRunning, "deleting")}, ""},
		"restarts, limit 0":             {job(limit(0), onFailure), []*corev1.Pod{podIn("a", corev1.PodRunning, "restarts=1")}, "FailureTarget/BackoffLimitExceeded"},
		"restarts below the limit":      {job(limit(3), onFailure), []*corev1.Pod{podIn("a", corev1.PodRunning, "restarts=2")}, ""},
		"restarts at the limit":         {job(limit(3), onFailure), []*corev1.Pod{podIn("a", corev1.PodRunning, "restarts=3")}, "FailureTarget/BackoffLimitExceeded"},
		"restarts with Never":           {job(limit(0)), []*corev1.Pod{podIn("a", corev1.PodRunning, "restarts=1")}, ""},
		"deadline passed":               {job(deadline(60)), []*corev1.Pod{podIn("a", corev1.PodRunning)}, "FailureTarget/DeadlineExceeded"},
		"deadline ahead":                {job(deadline(61)), []*corev1.Pod{podIn("a", corev1.PodRunning)}, ""},
		"deadline while suspended":      {job(deadline(1), func(j *batchv1.Job) { j.Spec.Suspend = ptr.To(true) }), nil, ""},
		"back-off before deadline":      {job(deadline(1), limit(0)), []*corev1.Pod{podIn("a", corev1.PodFailed)}, "FailureTarget/BackoffLimitExceeded"},
		"all indexes over, one bad": {
			job(indexed(2), func(j *batchv1.Job) { j.Spec.BackoffLimitPerIndex = ptr.To[int32](0) }),
			[]*corev1.Pod{podIn("a", corev1.PodSucceeded, "index=0"), podIn("b", corev1.PodFailed, "index=1")},
			"FailureTarget/FailedIndexes",
		},
		"one index bad, one running": {
			job(indexed(2), func(j *batchv1.Job) { j.Spec.BackoffLimitPerIndex = ptr.To[int32](0) }),
			[]*corev1.Pod{podIn("a", corev1.PodRunning, "index=0"), podIn("b", corev1.PodFailed, "index=1")}, "",
		},
		"an index may fail once more": {
			job(indexed(1), func(j *batchv1.Job) { j.Spec.BackoffLimitPerIndex = ptr.To[int32](2) }),
			[]*corev1.Pod{podIn("a", corev1.PodFailed, "index=0", "failures=1")}, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := view(tc.job, tc.pods...).judge()
			got := ""
			if v.decided() {
				got = string(v.interim) + "/" + v.reason
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestScale(t *testing.T) {
	t.Parallel()
	sized := func(completions, parallelism int32) func(*batchv1.Job) {
		return func(j *batchv1.Job) { j.Spec.Completions, j.Spec.Parallelism = &completions, &parallelism }
	}
	for name, tc := range map[string]struct {
		job    *batchv1.Job
		pods   []*corev1.Pod
		create int
		remove []string
		wait   time.Duration
	}{
		"first pod":               {job(), nil, 1, nil, 0},
		"has its pod":             {job(), []*corev1.Pod{podIn("a", corev1.PodPending)}, 0, nil, 0},
		"parallelism bounds":      {job(sized(10, 3)), nil, 3, nil, 0},
		"completions bound":       {job(sized(10, 9), func(j *batchv1.Job) { j.Status.Succeeded = 8 }), nil, 2, nil, 0},
		"no more than 500":        {job(sized(1000, 1000)), nil, 500, nil, 0},
		"too many":                {job(sized(10, 1)), []*corev1.Pod{podIn("new", corev1.PodPending), podIn("old", corev1.PodRunning, "ready"), podIn("mid", corev1.PodPending, "bound")}, 0, []string{"new", "mid"}, 0},
		"suspended":               {job(func(j *batchv1.Job) { j.Spec.Suspend = ptr.To(true) }), []*corev1.Pod{podIn("a", corev1.PodRunning)}, 0, []string{"a"}, 0},
		"replacement waits":       {job(), []*corev1.Pod{podIn("a", corev1.PodFailed, "finished=4s")}, 0, nil, 6 * time.Second},
		"second waits longer":     {job(), []*corev1.Pod{podIn("a", corev1.PodFailed, "finished=30s"), podIn("b", corev1.PodFailed, "finished=4s")}, 0, nil, 16 * time.Second},
		"replacement is due":      {job(), []*corev1.Pod{podIn("a", corev1.PodFailed, "finished=10s")}, 1, nil, 0},
		"terminating is replaced": {job(), []*corev1.Pod{podIn("a", corev1.PodRunning, "deleting")}, 0, nil, 10 * time.Second},
		"only failed is replaced": {job(func(j *batchv1.Job) { j.Spec.PodReplacementPolicy = ptr.To(batchv1.Failed) }), []*corev1.Pod{podIn("a", corev1.PodRunning, "deleting")}, 0, nil, 0},
		"work queue":              {job(func(j *batchv1.Job) { j.Spec.Completions, j.Spec.Parallelism = nil, ptr.To[int32](3) }), nil, 3, nil, 0},
		"work queue drains":       {job(func(j *batchv1.Job) { j.Spec.Completions, j.Spec.Parallelism = nil, ptr.To[int32](3) }), []*corev1.Pod{podIn("a", corev1.PodSucceeded), podIn("b", corev1.PodRunning)}, 0, nil, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan := view(tc.job, tc.pods...).scale()
			require.Len(t, plan.create, tc.create)
			var removed []string
			for _, p := range plan.remove {
				removed = append(removed, p.Name)
			}
			require.Equal(t, tc.remove, removed)
			require.Equal(t, tc.wait, plan.wait)
		})
	}
}

func TestIndexedScale(t *testing.T) {
	t.Parallel()
	j := job(func(j *batchv1.Job) {
		j.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion)
		j.Spec.Completions, j.Spec.Parallelism = ptr.To[int32](6), ptr.To[int32](4)
		j.Status.CompletedIndexes = "0,2"
	})
	plan := view(j, podIn("one", corev1.PodRunning, "index=1")).scale()
	require.Equal(t, []seed{{index: 3}, {index: 4}, {index: 5}}, plan.create)

	plan = view(j, podIn("one", corev1.PodRunning, "index=1"), podIn("twin", corev1.PodPending, "index=1"),
		podIn("none", corev1.PodRunning), podIn("beyond", corev1.PodRunning, "index=9")).scale()
	var removed []string
	for _, p := range plan.remove {
		removed = append(removed, p.Name)
	}
	require.ElementsMatch(t, []string{"twin", "none", "beyond"}, removed)
}

func TestNamesOfPods(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	f := view(job(func(j *batchv1.Job) { j.Name = long }))
	pod := f.newPod(seed{index: noIndex})
	require.Equal(t, long[:57]+"-", pod.GenerateName)
	require.Equal(t, []string{batchv1.JobTrackingFinalizer}, pod.Finalizers)
	require.True(t, metav1.IsControlledBy(pod, f.job))
	pod = f.newPod(seed{index: 12})
	require.Len(t, pod.GenerateName, 58)
	require.True(t, strings.HasSuffix(pod.GenerateName, "x-12-"))
	require.Empty(t, f.job.Spec.Template.Labels, "the template is not written to")
}

func TestSettleAndFinish(t *testing.T) {
	t.Parallel()
	f := view(job(), podIn("good", corev1.PodSucceeded), podIn("bad", corev1.PodFailed), podIn("runs", corev1.PodRunning))
	f.job.Status.Terminating = ptr.To[int32](0)
	v := f.completed(0)
	require.True(t, v.decided())

	release, cut := f.settle(v)
	require.False(t, cut)
	require.Len(t, release, 3, "once the Job has ended, even a running pod is released")
	require.Equal(t, []types.UID{"good"}, f.job.Status.UncountedTerminatedPods.Succeeded)
	require.Equal(t, []types.UID{"bad"}, f.job.Status.UncountedTerminatedPods.Failed)
	require.Zero(t, f.job.Status.Succeeded)
	require.True(t, f.finish(v, release, false))
	require.EqualValues(t, 1, f.job.Status.Succeeded)
	require.EqualValues(t, 1, f.job.Status.Failed)
	require.Empty(t, f.job.Status.UncountedTerminatedPods.Succeeded)

	f = view(job(), podIn("good", corev1.PodSucceeded))
	f.job.Status.Terminating = ptr.To[int32](1)
	release, _ = f.settle(v)
	require.False(t, f.finish(v, release, false), "a pod is still terminating")
	require.EqualValues(t, 1, f.job.Status.Succeeded)
	f.job.Status.Terminating = ptr.To[int32](0)
	require.True(t, f.finish(v, release, false))
	require.True(t, finished(f.job))
	require.NotNil(t, f.job.Status.CompletionTime)
}

func TestSettleCutsLongLists(t *testing.T) {
	t.Parallel()
	var pods []*corev1.Pod
	for i := range maxUncounted + 100 {
		pods = append(pods, podIn(fmt.Sprintf("pod-%03d", i), corev1.PodFailed))
	}
	f := view(job(func(j *batchv1.Job) { j.Spec.BackoffLimit = ptr.To[int32](0) }), pods...)
	release, cut := f.settle(f.judge())
	require.True(t, cut)
	require.Len(t, release, maxUncounted)
}
