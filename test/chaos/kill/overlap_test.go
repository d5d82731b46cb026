package kill

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// play is a history in which the runs of steps are written, and the results of workers.
type play struct {
	h       *history.History
	version int
	results []Result
}

// playedRun is a run of a step in a play.
type playedRun struct {
	*play
	s   step
	run int
	job *batchv1.Job
}

func (p *play) nextVersion() string {
	p.version++
	return strconv.Itoa(p.version)
}

// create creates a run.
func (p *play) create(s step, run, attempt int) *playedRun {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("%s-%d", s.name, run), UID: types.UID(fmt.Sprintf("%s-%d-%d", s.name, run, p.version)),
		Labels:      map[string]string{history.LabelStep: s.name},
		Annotations: map[string]string{history.AnnotationRun: strconv.Itoa(run), history.AnnotationAttempt: strconv.Itoa(attempt)},
	}}
	r := &playedRun{p, s, run, job}
	r.observe(watch.Added)
	return r
}

func (r *playedRun) observe(kind watch.EventType) *playedRun {
	r.job = r.job.DeepCopy()
	r.job.ResourceVersion = r.nextVersion()
	r.h.Observe(watch.Event{Type: kind, Object: r.job})
	return r
}

func (r *playedRun) pod(index int) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
		UID: types.UID(fmt.Sprintf("%s-pod-%d", r.job.UID, index)), Labels: r.job.Labels,
		OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(r.job, batchv1.SchemeGroupVersion.WithKind("Job"))},
	}}
}

// pods sets the phase of n pods.
func (r *playedRun) pods(n int, kind watch.EventType, phase corev1.PodPhase) *playedRun {
	for i := range n {
		pod := r.pod(i)
		pod.ResourceVersion, pod.Status.Phase = r.nextVersion(), phase
		r.h.Observe(watch.Event{Type: kind, Object: pod})
	}
	return r
}

// start lets the pods run.
func (r *playedRun) start() *playedRun {
	return r.pods(r.s.pods(), watch.Added, corev1.PodRunning)
}

// end ends the pods and the Job.
func (r *playedRun) end() *playedRun {
	r.pods(r.s.pods(), watch.Modified, corev1.PodSucceeded)
	r.job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	return r.observe(watch.Modified)
}

// deleting begins the deletion of the Job.
func (r *playedRun) deleting() *playedRun {
	r.job.DeletionTimestamp = new(metav1.Now())
	return r.observe(watch.Modified)
}

// record writes a record of an attempt.
func (r *playedRun) record(attempt int) *playedRun {
	r.job.Annotations[history.AnnotationRecord] = fmt.Sprintf(`{"v":1,"attempt":%d,"failed":%t}`, attempt, r.s.code(r.run) != 0)
	return r.observe(watch.Modified)
}

// remove deletes pods and Job.
func (r *playedRun) remove() *playedRun {
	return r.pods(r.s.pods(), watch.Deleted, corev1.PodRunning).observe(watch.Deleted)
}

// gives adds the result to those of attempts.
func (r *playedRun) gives(attempts ...int) *playedRun {
	for _, attempt := range attempts {
		result := r.s.result(r.run)
		result.Attempt = attempt
		for i := range r.s.pods() {
			result.Pods = append(result.Pods, string(r.pod(i).UID))
		}
		r.results = append(r.results, result)
	}
	return r
}

// TestOverlapCheck lets the step "test" run in different ways, of which the first run
// fails, and all other steps once.
func TestOverlapCheck(t *testing.T) {
	t.Parallel()
	const (
		none        = kontinue.ChildPolicyNone
		retryFailed = kontinue.ChildPolicyRetryFailed
		retryAll    = kontinue.ChildPolicyRetryAll
	)
	failing, _ := stepNamed("test")
	once := func(p *play, run, attempt int) *playedRun {
		return p.create(failing, run, attempt).start().end().record(attempt)
	}
	for name, c := range map[string]struct {
		policy kontinue.ChildPolicy
		play   func(p *play)
		want   map[report.Kind]int
	}{
		"one run": {none, func(p *play) { once(p, 0, 0).gives(0, 1, 0) }, nil},
		"retried": {retryFailed, func(p *play) {
			once(p, 0, 0).gives(0)
			once(p, 1, 1).gives(1, 1, 0)
		}, nil},
		"deleted": {retryAll, func(p *play) {
			p.create(failing, 0, 0).start().remove()
			p.create(failing, 0, 0).remove()
			once(p, 0, 1).gives(0, 1)
		}, nil},
		"ended while it was deleted": {retryAll, func(p *play) {
			p.create(failing, 0, 0).start().deleting().end().gives(0).observe(watch.Deleted)
			r := p.create(failing, 0, 0).start().deleting().end().record(0).gives(0)
			r.observe(watch.Deleted)
			once(p, 0, 1).gives(1)
		}, nil},
		"no job":    {none, func(*play) {}, map[report.Kind]int{report.Lost: 3}},
		"no result": {none, func(p *play) { once(p, 0, 0).gives(0) }, map[report.Kind]int{report.Lost: 1}},
		"not recorded": {none, func(p *play) {
			p.create(failing, 0, 0).start().end().gives(0, 1)
		}, map[report.Kind]int{report.Wrong: 3, report.Lost: 2}},
		"two records": {none, func(p *play) {
			once(p, 0, 0).record(1).gives(0, 1)
		}, map[report.Kind]int{report.Wrong: 1}},
		"overlap": {retryFailed, func(p *play) {
			r := p.create(failing, 0, 0).start()
			s := p.create(failing, 1, 1).start()
			r.end().record(0).gives(0)
			s.end().record(1).gives(1)
		}, map[report.Kind]int{report.Duplicate: 3}},
		"pods outlive the job": {retryAll, func(p *play) {
			p.create(failing, 0, 0).start().observe(watch.Deleted)
			once(p, 0, 1).gives(0, 1)
		}, map[report.Kind]int{report.Duplicate: 1}},
		"two pods": {none, func(p *play) {
			once(p, 0, 0).gives(0, 1).pods(2, watch.Added, corev1.PodSucceeded)
		}, map[report.Kind]int{report.Duplicate: 1}},
		"against the policy": {none, func(p *play) {
			once(p, 0, 0).gives(0)
			once(p, 1, 1).gives(1)
		}, map[report.Kind]int{report.Duplicate: 1}},
		"after a success": {retryFailed, func(p *play) {
			once(p, 0, 0).gives(0)
			once(p, 1, 1).gives(1)
			once(p, 2, 2).gives(1)
		}, map[report.Kind]int{report.Duplicate: 1}},
		"twice in an attempt": {retryAll, func(p *play) {
			once(p, 0, 1).gives(0)
			once(p, 1, 1).gives(1)
		}, map[report.Kind]int{report.Duplicate: 1}},
		"not recorded in time": {retryAll, func(p *play) {
			r := p.create(failing, 0, 0).start().end()
			once(p, 1, 1).gives(0, 1)
			r.record(0)
		}, map[report.Kind]int{report.Duplicate: 1}},
		"two results in an attempt": {retryFailed, func(p *play) {
			once(p, 0, 0).gives(0, 1)
			once(p, 1, 1).gives(1)
		}, map[report.Kind]int{report.Wrong: 1}},
		"deleted against the policy": {retryFailed, func(p *play) {
			p.create(failing, 0, 0).remove()
			once(p, 0, 1).gives(0, 1)
		}, map[report.Kind]int{report.Lost: 1}},
		"deleted with its record": {retryAll, func(p *play) {
			once(p, 0, 0).gives(0).observe(watch.Deleted)
			once(p, 1, 1).gives(1)
		}, map[report.Kind]int{report.Lost: 1}},
		"another result": {none, func(p *play) {
			once(p, 0, 0).gives(0, 1, 1)
			p.results[len(p.results)-1].Codes = []int32{0}
		}, map[report.Kind]int{report.Wrong: 1}},
		"pods of no run": {none, func(p *play) {
			once(p, 0, 0).gives(0, 1, 1)
			p.results[len(p.results)-1].Pods = []string{"unknown"}
		}, map[report.Kind]int{report.Wrong: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &play{h: history.New(nil, nil)}
			for _, s := range steps {
				if s.name != failing.name {
					p.create(s, 0, 0).start().end().record(0).gives(0, 1)
				}
			}
			c.play(p)
			var found report.Findings
			check := overlapCheck{policy: c.policy, attempts: 2, results: p.results, addf: found.Addf}
			check.jobs = p.h.Jobs(func(*history.Job) bool { return true })
			check.check()
			for _, kind := range []report.Kind{report.Lost, report.Duplicate, report.Wrong} {
				require.Equal(t, c.want[kind], found.Count(kind), "%s: %v", kind, found.Cases())
			}
		})
	}
}
