package step

import (
	"context"
	"errors"

	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/starts"
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

// rig is one wait, and a cluster of which the test decides each move: what happens to
// the Job, when the watch shows that, when an alarm of the wait is due, and what the API
// server answers.
type rig struct {
	wait   *wait
	job    *batchv1.Job // as it is in the cluster; nil: it is gone
	pods   []corev1.Pod
	hidden bool    // the watch does not select the Job
	queue  []Event // that the watch has yet to deliver
	rv     int
	down   bool   // the API server gives no answer
	during func() // happens after a request was served and before it is answered

	ended, gone bool // at some time
	proved      bool // an answer has said that the Job is gone, or going and not ended

	wakes chan struct{} // by events; of capacity 1
}

// rigs share an engine, since a clientset takes longer to make than a schedule.
type rigs struct {
	serving sync.Mutex // held by the API server; a change from another goroutine needs it
	*Engine
	now   *rig
	until Until
}

func newRigs() *rigs {
	clientset := fake.NewClientset()
	r := &rigs{Engine: New(Parts{
		Watcher: watch.New(watch.Config{Clientset: clientset}), Dispatcher: dispatch.New[Event](), Group: "g",
		Jobs: jobs.NewClient(clientset, jobs.Options{RetryFor: 1}), Logger: slog.New(slog.DiscardHandler),
	})}
	clientset.PrependReactor("*", "*", func(a ktesting.Action) (bool, runtime.Object, error) {
		r.serving.Lock()
		defer r.serving.Unlock()
		if r.now.down {
			return true, nil, apierrors.NewServiceUnavailable("down")
		}
		answer, err := r.now.serve(a)
		if during := r.now.during; during != nil {
			r.now.during = nil
			during()
		}
		return true, answer, err
	})
	return r
}

func (r *rig) serve(a ktesting.Action) (runtime.Object, error) {
	switch a.(type) {
	case ktesting.ListAction:
		return &corev1.PodList{Items: slices.Clone(r.pods)}, nil
	case ktesting.PatchAction: // the label is removed
		r.change(func(*batchv1.Job) { r.hidden = false })
	}
	r.proved = r.proved || r.job == nil || r.job.UID != "j" || r.job.DeletionTimestamp != nil && !jobs.Classify(&r.job.Status).Terminal
	if r.job == nil {
		return nil, apierrors.NewNotFound(batchv1.Resource("jobs"), "job")
	}
	return r.job.DeepCopy(), nil
}

// start begins a wait for a Job that runs, and that the watch has not shown yet.
func (rs *rigs) start(t *testing.T) *rig {
	t.Helper()
	r := &rig{rv: 1, wakes: make(chan struct{}, 1)}
	r.job = &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: "job", UID: "j", ResourceVersion: "1",
	}, Spec: batchv1.JobSpec{
		BackoffLimit: new(int32(0)),
		Template:     corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main"}}}},
	}, Status: batchv1.JobStatus{Active: 1, StartTime: &metav1.Time{Time: time.Now()}}}
	r.queue = []Event{{job: watch.NewJob(r.job)}}
	rs.now = r
	var err error
	r.wait, err = rs.newWait(0, rs.until, starts.DefaultLimits(), nil, r.wake)
	require.NoError(t, err)
	r.wait.jobRef = jobRef{namespace: "ns", name: "job", uid: "j"}
	require.NoError(t, r.wait.begin(watch.NewJob(r.job)))
	return r
}

// wake is the function that the dispatcher calls.
func (r *rig) wake() {
	select {
	case r.wakes <- struct{}{}:
	default:
	}
}

func (r *rig) woken() bool { return len(r.wakes) > 0 }

// untilDone has the wait do what there is to do until it has ended.
func (r *rig) untilDone(ctx context.Context) error {
	for {
		final, next, err := r.wait.advance(ctx)
		if final || err != nil {
			return err
		}
		var alarm <-chan time.Time
		if !next.IsZero() {
			alarm = time.After(time.Until(next))
		}
		select {
		case <-r.wakes:
		case <-alarm:
		case <-ctx.Done():
		}
	}
}

// change changes the Job, and has the watch show what it selects of that.
func (r *rig) change(how func(*batchv1.Job)) {
	was, before := !r.hidden, r.job
	r.rv++
	r.job = r.job.DeepCopy()
	r.job.ResourceVersion = strconv.Itoa(r.rv)
	how(r.job)
	r.ended = r.ended || jobs.Classify(&r.job.Status).Terminal
	switch {
	case !r.hidden:
		r.queue = append(r.queue, Event{job: watch.NewJob(r.job)})
	case was:
		r.show(before)
	}
}

// show has the watch show that it no longer selects the Job.
func (r *rig) show(last *batchv1.Job) {
	last = last.DeepCopy()
	last.ResourceVersion = strconv.Itoa(r.rv)
	r.queue = append(r.queue, Event{job: watch.NewJob(last), deleted: true})
}

// What can happen to the Job, one after the other.
var (
	fails = func(r *rig) {
		r.change(func(job *batchv1.Job) { job.Status = ended(batchv1.JobFailed, 0, 0) })
	}
	completes = func(r *rig) {
		pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "pod", UID: "p", ResourceVersion: strconv.Itoa(r.rv),
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(r.job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		}, Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}
		r.pods = []corev1.Pod{pod}
		r.change(func(job *batchv1.Job) { job.Status = ended(batchv1.JobComplete, 1, 0) })
		r.queue = append(r.queue, Event{pod: watch.NewPod(&pod)})
	}
	goes = func(r *rig) {
		last := r.job
		r.rv++
		r.job, r.pods, r.gone = nil, nil, true
		if !r.hidden {
			r.show(last)
		}
	}
	replaced = func(r *rig) {
		last := r.job
		goes(r)
		r.job = last.DeepCopy()
		r.job.UID, r.job.ResourceVersion, r.hidden = "another", strconv.Itoa(r.rv), true
	}
	beginsToGo = func(r *rig) {
		r.change(func(job *batchv1.Job) { job.DeletionTimestamp, r.gone = &metav1.Time{Time: time.Now()}, true })
	}
	leavesTheWatch = func(r *rig) { r.change(func(*batchv1.Job) { r.hidden = true }) }
	comesBack      = func(r *rig) { r.change(func(*batchv1.Job) { r.hidden = false }) }
	isLabeled      = func(r *rig) {
		r.change(func(job *batchv1.Job) {
			r.hidden, job.Labels = true, map[string]string{identity.LabelRecorded: "true"}
		})
	}
	isRecorded = func(r *rig) {
		r.change(func(job *batchv1.Job) {
			r.hidden, r.ended = true, true
			job.Labels = map[string]string{identity.LabelRecorded: "true"}
			job.Annotations = map[string]string{identity.AnnotationRecord: `{"v":1,"pods":null}`}
		})
	}
	getsADeadline = func(r *rig) {
		r.change(func(job *batchv1.Job) { job.Spec.ActiveDeadlineSeconds = new(int64(1)) })
	}
	losesItsDeadline = func(r *rig) {
		r.change(func(job *batchv1.Job) { job.Spec.ActiveDeadlineSeconds = nil })
	}
)

// schedule makes the choices of one interleaving: first those of the prefix, then
// always the first one.
type schedule struct {
	prefix, sizes []int
	text          []string
}

func (s *schedule) choose(names ...string) string {
	n := 0
	if i := len(s.sizes); i < len(s.prefix) {
		n = s.prefix[i]
	}
	s.sizes = append(s.sizes, len(names))
	s.text = append(s.text, names[n])
	return names[n]
}

// next returns the next schedule in order, or nil after the last one.
func (s *schedule) next() *schedule {
	prefix := make([]int, len(s.sizes))
	copy(prefix, s.prefix)
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i]++; prefix[i] < s.sizes[i] {
			return &schedule{prefix: prefix[:i+1]}
		}
	}
	return nil
}

// turn runs one move that the schedule chooses. story is what is still to happen to
// the Job.
func (r *rig) turn(t *testing.T, s *schedule, story *[]func(*rig)) (over bool, err error) {
	moves := []string{"nothing"}
	if len(*story) > 0 {
		moves = append(moves, "change")
	}
	if len(r.queue) > 0 {
		moves = append(moves, "deliver")
	}
	if r.woken() {
		moves = append(moves, "wake")
	}
	for name, alarm := range r.alarms() {
		if alarm.set() {
			moves = append(moves, name+", no answer", name)
			if len(r.queue) > 0 {
				moves = append(moves, name+", event before the answer", name+", event after the answer")
			}
			if len(*story) > 0 {
				moves = append(moves, name+", change and event before the answer", name+", change and event after the answer")
			}
		}
	}
	slices.Sort(moves[1:]) // the order of a map is random
	move := s.choose(moves...)
	switch move {
	case "nothing":
		return true, nil
	case "change":
		r.advance(story)
		return false, nil
	case "deliver":
		r.deliver()
		return false, nil
	case "wake":
		<-r.wakes
		return r.evaluate(t, s)
	}
	name, how, _ := strings.Cut(move, ", ")
	event := func() {
		if strings.HasPrefix(how, "change") {
			r.advance(story)
		}
		r.deliver()
	}
	r.down = how == "no answer"
	if strings.HasSuffix(how, "before the answer") {
		r.during = event
	}
	if err := r.fire(name); err != nil {
		return true, err
	}
	r.down, r.during = false, nil
	if strings.HasSuffix(how, "after the answer") {
		event()
	}
	return r.evaluate(t, s)
}

func (r *rig) alarms() map[string]*alarm {
	return map[string]*alarm{"confirm": &r.wait.confirm, "settle": &r.wait.settle, "overdue": &r.wait.overdue, "held": &r.wait.held}
}

// fire does what advance does when the time of the alarm has come.
func (r *rig) fire(alarm string) error {
	r.alarms()[alarm].clear()
	switch alarm {
	case "confirm":
		return r.wait.checkMissing(context.Background())
	case "settle":
		return r.wait.listPods(context.Background())
	case "held":
		return r.wait.checkHeld(context.Background())
	default:
		return r.wait.checkOverdue(context.Background())
	}
}

func (r *rig) advance(story *[]func(*rig)) {
	(*story)[0](r)
	*story = (*story)[1:]
}

func (r *rig) deliver() {
	if len(r.queue) > 0 {
		r.wait.engine.Dispatcher.Dispatch(types.UID("j"), r.queue[0])
		r.queue = r.queue[1:]
	}
}

func (r *rig) evaluate(t *testing.T, s *schedule) (over bool, err error) {
	final, err := r.wait.evaluate()
	if final || err != nil {
		return true, err
	}
	require.NoError(t, asleep(r.wait, r.woken()), "%s", s.text)
	return false, nil
}

// settleDown delivers all that is left, lets the API server answer and the alarms come
// until the wait has ended, or sleeps as long as its Job runs.
func (r *rig) settleDown(t *testing.T, s *schedule, story []func(*rig)) (over bool, err error) {
	for len(story) > 0 {
		r.advance(&story)
	}
	for len(r.queue) > 0 {
		r.deliver()
	}
	for range 20 {
		if r.woken() {
			<-r.wakes
		} else {
			for _, name := range []string{"held", "confirm", "settle", "overdue"} {
				if r.alarms()[name].set() {
					err = r.fire(name)
					break
				}
			}
		}
		if err != nil {
			return true, err
		}
		if over, err := r.evaluate(t, s); over {
			return true, err
		}
	}
	return false, nil
}

// TestNoWaitSleepsForEver plays what can happen to a Job in every order of the cluster's
// changes, the watch's events, the wait's alarms and the API server's answers, up to a
// number of moves. The invariant must hold whenever the wait goes to sleep, what ends the
// wait must be true, and an end must be found at last.
func TestNoWaitSleepsForEver(t *testing.T) {
	t.Parallel()
	const moves = 5
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
