package history_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func job(uid types.UID, step string, run int) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "job-" + string(uid), UID: uid,
		Labels:      map[string]string{history.LabelStep: step, history.LabelExecution: "e"},
		Annotations: map[string]string{history.AnnotationRun: strconv.Itoa(run)},
	}}
}

func ended(j *batchv1.Job) *batchv1.Job {
	j = j.DeepCopy()
	j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobFailed, Status: corev1.ConditionTrue}}
	return j
}

func recorded(j *batchv1.Job, text string) *batchv1.Job {
	j = ended(j)
	j.Annotations[history.AnnotationRecord] = text
	return j
}

func pod(of *batchv1.Job, uid types.UID, phase corev1.PodPhase) *corev1.Pod {
	owner := metav1.NewControllerRef(of, batchv1.SchemeGroupVersion.WithKind("Job"))
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: of.Namespace, Name: "pod-" + string(uid), UID: uid, Labels: of.Labels,
			OwnerReferences: []metav1.OwnerReference{*owner},
		},
		Status: corev1.PodStatus{Phase: phase},
	}
}

func all(*history.Job) bool { return true }

// TestTransitions checks that each transition of a Job with two pods is reported
// once and in order.
func TestTransitions(t *testing.T) {
	t.Parallel()
	h := history.New(nil, nil)
	var got []history.Transition
	for _, transition := range []history.Transition{history.Created, history.Pending, history.Running, history.Ended, history.Recorded} {
		for n := 1; n <= 3; n++ {
			h.On(history.Trigger{Execution: "e", Transition: transition, N: n, Fire: func() { got = append(got, transition) }})
		}
		h.On(history.Trigger{Execution: "another", Transition: transition, N: 1, Fire: func() { t.Error("another Execution") }})
		h.On(history.Trigger{Execution: "e", Transition: transition, N: 1, Fire: func() { t.Error("canceled") }})()
	}
	j := job("j", "step", 0)
	for _, e := range []watch.Event{
		{Type: watch.Added, Object: j},
		{Type: watch.Added, Object: pod(j, "p1", corev1.PodPending)},
		{Type: watch.Modified, Object: pod(j, "p1", corev1.PodRunning)},
		{Type: watch.Modified, Object: pod(j, "p1", corev1.PodRunning)},
		{Type: watch.Added, Object: pod(j, "p2", corev1.PodRunning)},
		{Type: watch.Modified, Object: ended(j)},
		{Type: watch.Modified, Object: recorded(j, "1")},
		{Type: watch.Modified, Object: recorded(j, "1")},
		{Type: watch.Deleted, Object: recorded(j, "1")},
	} {
		h.Observe(e)
	}
	require.Equal(t, []history.Transition{
		history.Created, history.Pending, history.Running, history.Pending, history.Running, history.Ended, history.Recorded,
	}, got)
	require.NoError(t, h.Err())
}

// TestSpan checks from when to when a Job exists and its pods run, in resource versions.
func TestSpan(t *testing.T) {
	t.Parallel()
	h, version := history.New(nil, nil), 0
	observe := func(kind watch.EventType, object interface {
		runtime.Object
		SetResourceVersion(string)
	}) {
		version++
		object.SetResourceVersion(strconv.Itoa(version))
		h.Observe(watch.Event{Type: kind, Object: object})
	}
	j := job("j", "step", 0)
	j.Annotations[history.AnnotationAttempt] = "2"
	observe(watch.Added, j)                                         // 1
	observe(watch.Added, pod(j, "p", corev1.PodPending))            // 2
	observe(watch.Modified, pod(j, "p", corev1.PodRunning))         // 3
	observe(watch.Added, pod(j, "q", corev1.PodRunning))            // 4
	observe(watch.Modified, pod(j, "p", corev1.PodSucceeded))       // 5
	observe(watch.Deleted, pod(j, "q", corev1.PodRunning))          // 6
	observe(watch.Modified, recorded(j, "1"))                       // 7
	observe(watch.Deleted, recorded(j, "1"))                        // 8
	observe(watch.Added, job("k", "step", 1))                       // 9
	observe(watch.Deleted, pod(job("k", "step", 1), "r", "Failed")) // 10
	got := h.Jobs(all)
	require.Equal(t, history.Span{Began: 1, Over: 7}, got[0].Span)
	require.Equal(t, uint64(7), got[0].Recorded)
	require.Equal(t, 2, got[0].Attempt)
	require.Equal(t, history.Span{Began: 3, Over: 5}, got[0].Pods["p"].Span)
	require.Equal(t, history.Span{Began: 4, Over: 6}, got[0].Pods["q"].Span)
	require.Equal(t, history.Span{Began: 9}, got[1].Span)
	require.True(t, got[0].Pods["p"].Overlaps(got[0].Pods["q"].Span))
	require.False(t, got[0].Overlaps(got[1].Span))
	require.False(t, got[1].Overlaps(got[0].Span))
	require.False(t, got[1].Overlaps(history.Span{}), "not begun")
	require.True(t, got[1].Overlaps(history.Span{Began: 20}), "not over")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	good := job("good", "step", 0)
	once := func(h *history.History, j *batchv1.Job) {
		h.Observe(watch.Event{Type: watch.Added, Object: j})
		h.Observe(watch.Event{Type: watch.Added, Object: pod(j, "of-"+j.UID, corev1.PodSucceeded)})
		h.Observe(watch.Event{Type: watch.Modified, Object: recorded(j, "1")})
	}
	for name, c := range map[string]struct {
		events func(*history.History)
		want   map[report.Kind]int
	}{
		"as expected": {func(*history.History) {}, map[report.Kind]int{}},
		"deleted": {func(h *history.History) {
			h.Observe(watch.Event{Type: watch.Deleted, Object: recorded(good, "1")})
		}, map[report.Kind]int{report.Lost: 1}},
		"another record": {func(h *history.History) {
			h.Observe(watch.Event{Type: watch.Modified, Object: recorded(good, "2")})
		}, map[report.Kind]int{report.Wrong: 1}},
		"a second pod": {func(h *history.History) {
			h.Observe(watch.Event{Type: watch.Added, Object: pod(good, "second", corev1.PodPending)})
		}, map[report.Kind]int{report.Duplicate: 1}},
		"a second job": {func(h *history.History) { once(h, job("second", "step", 0)) }, map[report.Kind]int{report.Duplicate: 1}},
		"another run":  {func(h *history.History) { once(h, job("second", "step", 1)) }, map[report.Kind]int{report.Duplicate: 1}},
		"another step": {func(h *history.History) { once(h, job("second", "other", 0)) }, map[report.Kind]int{report.Duplicate: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := history.New(nil, nil)
			once(h, good)
			c.events(h)
			var found report.Findings
			history.Expected{{Step: "step"}: 1}.Check(h.Jobs(all), found.Addf)
			for _, kind := range []report.Kind{report.Lost, report.Duplicate, report.Wrong} {
				require.Equal(t, c.want[kind], found.Count(kind), "%s: %v", kind, found.Cases())
			}
		})
	}
	t.Run("missing", func(t *testing.T) {
		t.Parallel()
		h := history.New(nil, nil)
		h.Observe(watch.Event{Type: watch.Added, Object: good})
		var found report.Findings
		history.Expected{{Step: "step"}: 1, {Step: "step", Run: 1}: 1}.Check(h.Jobs(all), found.Addf)
		require.Equal(t, 1, found.Count(report.Lost), "the second run")
		require.Equal(t, 2, found.Count(report.Wrong), "no pod and no record")
	})
}

// TestSettle checks that Settle waits for the pods and the record, whichever comes
// last, and gives up after a while.
func TestSettle(t *testing.T) {
	t.Parallel()
	j := job("j", "step", 0)
	pods := watch.Event{Type: watch.Added, Object: pod(j, "p2", corev1.PodSucceeded)}
	record := watch.Event{Type: watch.Modified, Object: recorded(j, "1")}
	for name, c := range map[string]struct {
		after2s, after3s watch.Event
		want             time.Duration
	}{
		"record last": {pods, record, 3 * time.Second},
		"pod last":    {record, pods, 3 * time.Second},
		"no record":   {pods, pods, 15 * time.Second},
		"no pod":      {record, record, 15 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := history.New(nil, nil)
				h.Observe(watch.Event{Type: watch.Added, Object: pod(j, "p1", corev1.PodSucceeded)})
				h.Observe(watch.Event{Type: watch.Modified, Object: ended(j)})
				time.AfterFunc(2*time.Second, func() { h.Observe(c.after2s) })
				time.AfterFunc(3*time.Second, func() { h.Observe(c.after3s) })
				start := time.Now()
				h.Settle(t.Context(), all, history.Expected{{Step: "step"}: 2})
				require.InDelta(t, c.want, time.Since(start), float64(100*time.Millisecond))
			})
		})
	}
}

// TestRunOf checks that a Job is read if its pod was seen first, and that the run is
// not taken from another Job with the same name.
func TestRunOf(t *testing.T) {
	t.Parallel()
	j := job("j", "step", 2)
	h := history.New(fake.NewClientset(j), nil)
	p := pod(j, "p", corev1.PodPending)
	h.Observe(watch.Event{Type: watch.Added, Object: p})
	require.Zero(t, h.Jobs(all)[0].Run)
	run, err := h.RunOf(t.Context(), p)
	require.NoError(t, err)
	require.Equal(t, 2, run)
	require.Equal(t, 2, h.Jobs(all)[0].Run)

	other := job("other", "step", 2)
	other.Name = j.Name
	_, err = h.RunOf(t.Context(), pod(other, "p2", corev1.PodPending))
	require.ErrorContains(t, err, "another UID")
	_, err = h.RunOf(t.Context(), &corev1.Pod{})
	require.ErrorContains(t, err, "no controller")
}

// TestFailedWatch checks that missed events are an error.
func TestFailedWatch(t *testing.T) {
	t.Parallel()
	h := history.New(nil, nil)
	h.Observe(watch.Event{Type: watch.Error, Object: &metav1.Status{Code: 410}})
	require.ErrorContains(t, h.Err(), "history watch failed")
}
