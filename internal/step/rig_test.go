package step

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/dispatch"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

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
