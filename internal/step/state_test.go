package step

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/watch"
)

func testJob(rv int, status batchv1.JobStatus) *watch.Job {
	return &watch.Job{
		Meta:   watch.Meta{Namespace: "ns", Name: "job", UID: "j", ResourceVersion: strconv.Itoa(rv)},
		Status: status,
	}
}

func ended(condition batchv1.JobConditionType, succeeded, failed int32) batchv1.JobStatus {
	return batchv1.JobStatus{
		Succeeded: succeeded, Failed: failed,
		Conditions: []batchv1.JobCondition{{Type: condition, Status: corev1.ConditionTrue, Reason: "Because"}},
	}
}

// testPod is a pod of testJob; a pod that is not tracked has been counted.
func testPod(name string, rv int, phase corev1.PodPhase, exitCode int32, tracked bool) *watch.Pod {
	state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	if phase == corev1.PodSucceeded || phase == corev1.PodFailed {
		state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exitCode}}
	}
	return testPodIn(name, rv, phase, state, tracked)
}

// testPodIn is such a pod whose container is in the given state.
func testPodIn(name string, rv int, phase corev1.PodPhase, state corev1.ContainerState, tracked bool) *watch.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: name, UID: types.UID(name), ResourceVersion: strconv.Itoa(rv),
		CreationTimestamp: metav1.Unix(int64(name[len(name)-1]), 0),
		OwnerReferences:   []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: "job", UID: "j"}, batchv1.SchemeGroupVersion.WithKind("Job"))},
	}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}
	if tracked {
		pod.Finalizers = []string{batchv1.JobTrackingFinalizer}
	}
	pod.Status = corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{Name: "c", State: state}}}
	return watch.NewPod(pod)
}

func TestDecision(t *testing.T) {
	t.Parallel()
	active, complete, failed := batchv1.JobStatus{Active: 1}, ended(batchv1.JobComplete, 1, 0), ended(batchv1.JobFailed, 0, 1)
	deciding := ended(batchv1.JobFailureTarget, 0, 1)
	job := func(s batchv1.JobStatus) Event { return Event{job: testJob(10, s)} }
	jobGone := func(s batchv1.JobStatus) Event { return Event{job: testJob(11, s), deleted: true} }
	pod := func(phase corev1.PodPhase, tracked bool) Event {
		return Event{pod: testPod("p1", 5, phase, 0, tracked)}
	}
	podGone := func(phase corev1.PodPhase) Event {
		return Event{pod: testPod("p1", 6, phase, 0, false), deleted: true}
	}
	deleting := testJob(10, active)
	deleting.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	for name, tc := range map[string]struct {
		events []Event
		want   decision
	}{
		"nothing known":                            {nil, running},
		"pod before its job":                       {[]Event{pod(corev1.PodSucceeded, false)}, running},
		"running":                                  {[]Event{job(active), pod(corev1.PodRunning, true)}, running},
		"counters are no end":                      {[]Event{job(batchv1.JobStatus{Succeeded: 1, Failed: 7}), pod(corev1.PodSucceeded, false)}, running},
		"FailureTarget is no end":                  {[]Event{job(deciding), pod(corev1.PodFailed, false)}, running},
		"complete and counted":                     {[]Event{job(complete), pod(corev1.PodSucceeded, false)}, done},
		"complete, pod still tracked":              {[]Event{job(complete), pod(corev1.PodSucceeded, true)}, podsPending},
		"complete, pod seen running":               {[]Event{job(complete), pod(corev1.PodRunning, false)}, podsPending},
		"complete, pod not seen":                   {[]Event{job(complete)}, podsPending},
		"complete, only a failed pod seen":         {[]Event{job(complete), pod(corev1.PodFailed, false)}, podsPending},
		"complete, pod deleted after it succeeded": {[]Event{job(complete), podGone(corev1.PodSucceeded)}, done},
		"complete, the end of its pod not seen":    {[]Event{job(complete), podGone(corev1.PodRunning)}, podsPending},
		"failed, pod evicted that ended well":      {[]Event{job(failed), pod(corev1.PodSucceeded, false)}, done},
		"failed before any pod":                    {[]Event{job(ended(batchv1.JobFailed, 0, 0))}, done},
		"deleted while running":                    {[]Event{job(active), jobGone(active)}, unobserved},
		"deletion has begun":                       {[]Event{{job: deleting}}, unobserved},
		"deleted after its end":                    {[]Event{job(complete), pod(corev1.PodSucceeded, false), jobGone(complete)}, done},
		"deleted after its end, older tombstone":   {[]Event{job(complete), pod(corev1.PodSucceeded, false), {job: testJob(9, active), deleted: true}}, done},
		"older event after the newer one":          {[]Event{job(complete), {job: testJob(9, active)}, pod(corev1.PodSucceeded, false)}, done},
		"older pod event after the newer one":      {[]Event{job(complete), pod(corev1.PodSucceeded, false), {pod: testPod("p1", 4, corev1.PodRunning, 0, true)}}, done},
		"never seen, and no longer selected":       {[]Event{jobGone(active)}, unobserved},
		"the content of a deletion is no word":     {[]Event{job(active), jobGone(complete), pod(corev1.PodSucceeded, false)}, unobserved},
		"selected again":                           {[]Event{job(active), jobGone(active), {job: testJob(12, active)}}, running},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var v state
			for _, e := range tc.events {
				v.apply(e)
			}
			require.Equal(t, tc.want, v.decision())
		})
	}
}

// TestPodThatNeverStartedKeepsItsReason has the states of a pod with a missing
// image that its Job's deadline deletes.
func TestPodThatNeverStartedKeepsItsReason(t *testing.T) {
	t.Parallel()
	podEvent := func(rv int, phase corev1.PodPhase, s corev1.ContainerState) Event {
		return Event{pod: testPodIn("p1", rv, phase, s, phase == corev1.PodPending)}
	}
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	unknown := corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "ContainerStatusUnknown"}}
	for name, tc := range map[string]struct {
		states []corev1.ContainerState
		want   string
	}{
		"image": {[]corev1.ContainerState{
			waiting("ContainerCreating", ""), waiting("ErrImagePull", "not found"), waiting("ImagePullBackOff", "later"), waiting("ContainerCreating", ""),
		}, "ErrImagePull"},
		"volume": {[]corev1.ContainerState{waiting("ContainerCreating", "")}, "ContainerCreating"},
	} {
		var v state
		for i, s := range tc.states {
			v.apply(podEvent(i+1, corev1.PodPending, s))
		}
		v.apply(podEvent(len(tc.states)+1, corev1.PodFailed, unknown))
		v.apply(Event{job: testJob(9, ended(batchv1.JobFailed, 0, 1))})
		o := v.outcome(0, time.Time{})
		require.Len(t, o.Pods, 1, name)
		require.Contains(t, o.Pods[0].Explain(), tc.want, name)
		require.NotContains(t, o.Pods[0].Explain(), "ContainerStatusUnknown", name)
		_, failed := o.Pods[0].FirstFailure()
		require.False(t, failed, "%s: no exit code is made up", name)
	}
}

func TestRelistDecides(t *testing.T) {
	t.Parallel()
	var v state
	v.apply(Event{pod: testPod("gone-1", 1, corev1.PodRunning, 0, true)})
	v.apply(Event{job: testJob(9, ended(batchv1.JobFailed, 0, 2))})
	require.Equal(t, podsPending, v.decision())
	v.relist([]*watch.Pod{testPod("new-2", 2, corev1.PodFailed, 3, false)})
	require.Equal(t, done, v.decision())
	o := v.outcome(0, time.Time{})
	require.Len(t, o.Pods, 2)
	require.True(t, o.Pods[0].Deleted)
	require.Equal(t, "new-2", o.Pods[1].Name)
	require.Zero(t, o.Lost)
}

// TestObjectShowsTheRecordedState: another worker has recorded an early end, and the watch
// of pods is behind that, or ahead of it.
func TestObjectShowsTheRecordedState(t *testing.T) {
	t.Parallel()
	var v state
	v.apply(Event{job: testJob(9, ended(batchv1.JobFailed, 0, 1))})
	v.apply(Event{pod: testPod("a-1", 1, corev1.PodFailed, 3, false)})
	o := v.outcome(0, time.Time{})
	o.Early = true
	p := o.Pods[0]
	whole := o.objects[p.UID]
	require.Equal(t, whole, o.Object(p), "the same state")
	behind := whole.DeepCopy()
	behind.Status.Phase = corev1.PodRunning
	behind.Status.ContainerStatuses[0].State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	o.objects[p.UID] = behind
	got := o.Object(p)
	require.Equal(t, corev1.PodFailed, got.Status.Phase)
	require.Equal(t, int32(3), got.Status.ContainerStatuses[0].State.Terminated.ExitCode)
	o.objects[p.UID] = whole
	p.Containers[0].State = "Running"
	require.Nil(t, o.Object(p).Status.ContainerStatuses[0].State.Terminated)
}

func TestOutcomeSurvivesItsRecord(t *testing.T) {
	t.Parallel()
	var v state
	v.apply(Event{job: testJob(9, ended(batchv1.JobFailed, 1, 1))})
	v.apply(Event{pod: testPod("a-1", 1, corev1.PodSucceeded, 0, false)})
	v.apply(Event{pod: testPod("a-2", 1, corev1.PodFailed, 3, false)})
	live := v.outcome(4, time.Time{})
	text, err := live.encode()
	require.NoError(t, err)
	job := testJob(10, batchv1.JobStatus{})
	job.Record = text
	again, err := decode("ns", "job", job.Record, nil)
	require.NoError(t, err)
	require.Equal(t, 4, again.Attempt)
	require.Equal(t, live.Pods, again.Pods)
	require.Equal(t, live.Text(), again.Text())
	live.Record.Pods, again.Record.Pods = nil, nil
	require.Equal(t, live.Record, again.Record)
	for i := range live.Pods {
		require.Equal(t, live.Object(live.Pods[i]).Name, again.Object(again.Pods[i]).Name)
	}
	for _, text := range []string{"", "{", `{"v":2,"pods":null}`} {
		_, err := decode("ns", "job", text, nil)
		require.ErrorContains(t, err, "job ns/job", "record %q", text)
	}
	// The Job's part of a record is valid even if the list of its pods is not.
	half, err := decode("ns", "job", `{"v":1,"failed":true,"reason":"x","pods":7}`, nil)
	require.NoError(t, err)
	require.True(t, half.Failed)
	require.Empty(t, half.Pods)
}

// TestDeletedWhileItIsRead: a read that began before an event does not account for it.
func TestDeletedWhileItIsRead(t *testing.T) {
	t.Parallel()
	active := batchv1.JobStatus{Active: 1}
	var v state
	v.apply(Event{job: testJob(1, active)})
	v.apply(Event{job: testJob(2, active), deleted: true})
	before := v.deletions
	v.apply(Event{job: testJob(3, active)})
	v.apply(Event{job: testJob(4, active), deleted: true})
	v.read(testJob(2, active), "j", before)
	require.Equal(t, unobserved, v.decision())
	require.True(t, v.unread)
	v.read(testJob(4, active), "j", v.deletions)
	require.Equal(t, running, v.decision())
	require.False(t, v.unread)
}

// TestDeletionIsRemembered: when the containers of a pod have ended, the kubelet deletes it
// with a grace period of 0, which sets the deletion timestamp anew. The pod was stopped all
// the same.
func TestDeletionIsRemembered(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	after := func(seconds int) *metav1.Time {
		return &metav1.Time{Time: began.Add(time.Duration(seconds) * time.Second)}
	}
	pod := func(rv int, phase corev1.PodPhase, deletion *metav1.Time, grace int64, ended *metav1.Time) *watch.Pod {
		state := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
		if ended != nil {
			state = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 143, FinishedAt: *ended}}
		}
		p := testPodIn("p1", rv, phase, state, true).Object().DeepCopy()
		p.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(&metav1.ObjectMeta{Name: "job", UID: "j"}, batchv1.SchemeGroupVersion.WithKind("Job"))}
		p.DeletionTimestamp, p.DeletionGracePeriodSeconds = deletion, &grace
		return watch.NewPod(p)
	}
	running := pod(1, corev1.PodRunning, after(30), 30, nil)
	last := pod(3, corev1.PodFailed, after(6), 0, after(5))
	for name, tc := range map[string]struct {
		events []*watch.Pod
		want   time.Time
	}{
		"stopped": {[]*watch.Pod{running, last}, began},
		"stopped, and the end seen before the last deletion": {[]*watch.Pod{running, pod(2, corev1.PodFailed, after(30), 30, after(5)), last}, began},
		"ended before it was deleted":                        {[]*watch.Pod{pod(2, corev1.PodFailed, nil, 0, after(5)), last}, time.Time{}},
		"had ended when it was deleted":                      {[]*watch.Pod{running, pod(3, corev1.PodFailed, after(6), 0, after(-1))}, time.Time{}},
	} {
		var s state
		for _, p := range tc.events {
			s.apply(Event{pod: p})
		}
		require.Len(t, s.pods, 1, name)
		require.Equal(t, tc.want, s.pods[0].outcome().StoppedAt, name)
	}
}

// TestEndOfAPodBeginsAStall: a pod fails, and the event in which it is counted is the last
// one. The wait looks whether another pod is created, as it does if the Job's event is last.
func TestEndOfAPodBeginsAStall(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	job := testJob(10, batchv1.JobStatus{Failed: 1, StartTime: &metav1.Time{Time: now}})
	bound := testPod("p1", 5, corev1.PodRunning, 0, true).Object()
	bound.Spec.NodeName = "node"
	last := map[string]Event{"job": {job: job}, "pod": {pod: testPod("p1", 7, corev1.PodFailed, 1, false)}}
	for name, e := range last {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &state{until: UntilJob}
			s.limits = starts.DefaultLimits()
			s.apply(Event{job: testJob(9, batchv1.JobStatus{Active: 1, StartTime: &metav1.Time{Time: now}})})
			s.apply(Event{pod: watch.NewPod(bound)})
			s.lookAgain(now)
			require.True(t, s.next.IsZero())
			for other, e := range last {
				if other != name {
					s.apply(e)
				}
			}
			s.apply(e)
			require.True(t, s.stallsSooner(e))
		})
	}
}
