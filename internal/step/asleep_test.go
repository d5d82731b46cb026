package step

import (
	"errors"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
	"github.com/kontinue/kontinue/watch"
)

// asleep states the invariant of a wait that evaluate has not ended and that goes to
// sleep, and returns how it is broken: something will wake it. Either news is there
// already, or the watch shows the Job, and internal/listwatch watches over the watch,
// or an alarm is set by which the wait asks the API server. A Job with an allowance is
// looked at when that is over, and so are a Job that does not start, pods that are not
// final and a failed pod that others hold open.
func asleep(w *wait, woken bool) (broken error) {
	unset := func(a alarm) bool { return !a.set() }
	w.future.Do(func() {
		d := w.state.decision()
		switch {
		case woken:
		case d == unobserved && unset(w.confirm):
			broken = errors.New("the watch cannot say what became of the Job, and it is not to be read")
		case d == running && !w.state.watched && unset(w.confirm):
			broken = errors.New("the watch does not show the Job, and it is not to be read")
		case d == podsPending && unset(w.settle):
			broken = errors.New("the Job has ended, and its pods are not to be listed")
		case d == running && w.state.allowance() != (allowance{}) && unset(w.overdue):
			broken = errors.New("the Job runs against its deadline, and is not to be looked at when that is over")
		case d == running && w.state.stalls() && unset(w.start):
			broken = errors.New("the Job does not start, or its pod does not stop, and that is not bounded")
		case d == running && w.state.verdict() == pods.Failing && unset(w.held):
			broken = errors.New("injected containers hold the failed pod open, and that is not bounded")
		case d == deleted, d == done:
			broken = errors.New("it is over, and the wait has not ended")
		}
	})
	return broken
}

// stalls reports whether the Job waits for something that has a limit.
func (s *state) stalls() bool {
	_, ok, _ := s.stall()
	return ok
}

// TestNoWaitSleepsForEver plays what can happen to a Job in every order of the cluster's
// changes, the watch's events, the wait's alarms and the API server's answers, up to a
// number of moves (one less under the race detector, for which there is nothing: one goroutine
// makes them all). The invariant must hold whenever the wait goes to sleep, what ends the
// wait must be true, and an end must be found at last.
func TestNoWaitSleepsForEver(t *testing.T) {
	t.Parallel()
	for name, story := range map[string][]func(*rig){
		"fails":                          {fails},
		"completes":                      {completes},
		"goes":                           {goes},
		"is replaced":                    {replaced},
		"begins to go, goes":             {beginsToGo, goes},
		"begins to go, fails, goes":      {beginsToGo, fails, goes},
		"leaves the watch":               {leavesTheWatch},
		"leaves the watch, fails":        {leavesTheWatch, fails},
		"leaves the watch, goes":         {leavesTheWatch, goes},
		"leaves the watch and is back":   {leavesTheWatch, comesBack, goes},
		"is labeled, fails":              {isLabeled, fails},
		"is recorded":                    {isRecorded},
		"fails and is recorded":          {fails, isRecorded},
		"has a deadline, completes":      {getsADeadline, completes},
		"has a deadline, loses it, goes": {getsADeadline, losesItsDeadline, goes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rigs := newRigs()
			rigs.until = UntilJob
			for s := (&schedule{}); s != nil; s = s.next() {
				rigs.play(t, s, slices.Clone(story), moves)
			}
		})
	}
}

// What can happen to the only pod of a Job, one after the other.
var (
	terminates = func(code int32) func(*rig) {
		return func(r *rig) {
			r.ended = true // with code 0; otherwise at last
			r.changePod(corev1.PodRunning, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}})
		}
	}
	isFinal = func(phase corev1.PodPhase, code int32) func(*rig) {
		return func(r *rig) {
			r.ended = true
			r.changePod(phase, corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code}})
		}
	}
)

func (r *rig) changePod(phase corev1.PodPhase, state corev1.ContainerState) {
	r.rv++
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "pod", UID: "p", ResourceVersion: strconv.Itoa(r.rv), Labels: map[string]string{batchv1.ControllerUidLabel: "j"},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(r.job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main"}, {Name: "mesh"}}},
		Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{
			{Name: "main", State: state}, {Name: "mesh", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
		}},
	}
	r.pods = []corev1.Pod{pod}
	r.queue = append(r.queue, Event{pod: watch.NewPod(&pod)})
}

// TestNoWaitForAPodSleepsForEver is [TestNoWaitSleepsForEver] of a step that ends with its
// pod, which a container that was injected holds open.
func TestNoWaitForAPodSleepsForEver(t *testing.T) {
	t.Parallel()
	for name, story := range map[string][]func(*rig){
		"succeeds":                    {terminates(0)},
		"fails":                       {terminates(3)},
		"fails at last":               {terminates(3), isFinal(corev1.PodFailed, 3)},
		"is evicted":                  {isFinal(corev1.PodFailed, 0)},
		"fails, leaves the watch":     {terminates(3), leavesTheWatch},
		"fails, begins to go, goes":   {terminates(3), beginsToGo, goes},
		"fails, is recorded":          {terminates(3), isRecorded},
		"succeeds, is recorded, goes": {terminates(0), isRecorded, goes},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rigs := newRigs()
			for s := (&schedule{}); s != nil; s = s.next() {
				rigs.play(t, s, slices.Clone(story), 4)
			}
		})
	}
}

func (rs *rigs) play(t *testing.T, s *schedule, story []func(*rig), moves int) {
	t.Helper()
	r := rs.start(t)
	defer r.wait.end()
	over, err := r.evaluate(t, s)
	for n := 0; n < moves && !over; n++ {
		over, err = r.turn(t, s, &story)
		if over && s.text[len(s.text)-1] == "nothing" {
			over = false
			break
		}
	}
	if !over {
		s.text = append(s.text, "|")
		over, err = r.settleDown(t, s, story)
	}
	switch {
	case err != nil:
		require.ErrorIs(t, err, jobs.ErrJobDeleted, "%s", s.text)
		require.True(t, r.gone && r.proved, "%s: %s", err, s.text)
	case over:
		require.True(t, r.ended, "the Job has not ended: %s", s.text)
	default:
		require.False(t, r.ended || r.gone, "the wait hangs: %s", s.text)
	}
}
