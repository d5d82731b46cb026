package simulate

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// forever is a resource version after all others.
const forever = ^uint64(0)

// run is one Job of a step in the history.
type run struct {
	name, creator string
	uid           types.UID
	execution     int    // -1 for a Job of no Execution
	step          string // as it was created
	attempt       int
	number        int
	begin, gone   uint64 // resource versions; gone is forever for a Job that stays
	beginAt       time.Time
	goneAt        time.Time
	writes        []apiserver.Write
	pods          []*podRun
}

// podRun is a pod of a Job.
type podRun struct {
	name             string
	uid, job         types.UID
	createdAt        time.Time
	created          uint64
	started, stopped uint64 // its containers; forever if they never did
	startedAt        time.Time
	stoppedAt        time.Time
	writes           []apiserver.Write
}

// facts are the history by object.
type facts struct {
	*History
	runs []*run // in the order of their creation
	pods map[types.UID]*podRun
}

func newFacts(h *History) *facts {
	f := &facts{History: h, pods: map[types.UID]*podRun{}}
	slices.SortFunc(h.writes, func(a, b apiserver.Write) int { return cmp.Compare(a.RV, b.RV) })
	byUID := map[types.UID]*run{}
	for _, w := range h.writes {
		object := w.New
		if object == nil {
			object = w.Old
		}
		switch o := object.(type) {
		case *batchv1.Job:
			r := byUID[o.UID]
			if r == nil {
				r = f.newRun(o, w)
				byUID[o.UID], f.runs = r, append(f.runs, r)
			}
			r.writes = append(r.writes, w)
			if w.Type == watch.Deleted {
				r.gone, r.goneAt = w.RV, w.Time
			}
		case *corev1.Pod:
			p := f.pods[o.UID]
			if p == nil {
				p = &podRun{name: o.Name, uid: o.UID, created: w.RV, createdAt: w.Time, started: forever, stopped: forever}
				f.pods[o.UID] = p
				if owner := metav1.GetControllerOf(o); owner != nil {
					if p.job = owner.UID; byUID[p.job] != nil {
						byUID[p.job].pods = append(byUID[p.job].pods, p)
					}
				}
			}
			p.observe(o, w)
		}
	}
	return f
}

func (f *facts) newRun(o *batchv1.Job, w apiserver.Write) *run {
	r := &run{name: o.Name, uid: o.UID, creator: w.User, execution: -1, begin: w.RV, beginAt: w.Time, gone: forever}
	owner := metav1.GetControllerOf(o)
	for i, e := range f.executions {
		if owner != nil && owner.UID == e.owner.UID {
			r.execution = i
		}
	}
	r.step = o.Labels[stepLabel]
	r.attempt, _ = strconv.Atoi(o.Annotations[attempt])
	r.number, _ = strconv.Atoi(o.Annotations[runAnnotation])
	return r
}

func (p *podRun) observe(o *corev1.Pod, w apiserver.Write) {
	p.writes = append(p.writes, w)
	ran := false
	for _, all := range [][]corev1.ContainerStatus{o.Status.InitContainerStatuses, o.Status.ContainerStatuses} {
		for _, c := range all {
			ran = ran || c.State.Running != nil || c.State.Terminated != nil
		}
	}
	if ran && p.started == forever {
		p.started, p.startedAt = w.RV, w.Time
	}
	if p.stopped == forever && (w.Type == watch.Deleted || ending(o)) {
		p.stopped, p.stoppedAt = w.RV, w.Time
	}
}

// ending reports whether the pod's phase is final.
func ending(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
}

// terminal returns the condition Complete or Failed of a Job.
func terminal(job *batchv1.Job) (batchv1.JobCondition, bool) {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return c, true
		}
	}
	return batchv1.JobCondition{}, false
}

// at returns the state of the Job after the write with that resource version, or nil.
func (r *run) at(rv uint64) (job *batchv1.Job) {
	for _, w := range r.writes {
		if w.RV > rv {
			break
		}
		job, _ = w.New.(*batchv1.Job)
	}
	return job
}

// last returns the last state of the Job while it existed.
func (r *run) last() (job *batchv1.Job) {
	for _, w := range r.writes {
		if j, ok := w.New.(*batchv1.Job); ok {
			job = j
		}
	}
	return job
}

// first returns the first write after which ok holds, or nil.
func (r *run) first(ok func(*batchv1.Job) bool) *apiserver.Write {
	for i := range r.writes {
		if job, is := r.writes[i].New.(*batchv1.Job); is && ok(job) {
			return &r.writes[i]
		}
	}
	return nil
}

// deletedBy returns the write that asked for the Job's deletion, or nil.
func (r *run) deletedBy() *apiserver.Write {
	for i := range r.writes {
		w := &r.writes[i]
		if job, ok := w.New.(*batchv1.Job); w.Type == watch.Deleted || ok && job.DeletionTimestamp != nil {
			return w
		}
	}
	return nil
}

func isWorker(user string) bool {
	return strings.HasPrefix(user, "w") && len(user) > 1 && user[1] >= '0' && user[1] <= '9' || user == "last"
}

// of returns the runs of a step, in the order of their creation.
func (f *facts) of(execution int, step string) (runs []*run) {
	for _, r := range f.runs {
		if r.execution == execution && r.step == step {
			runs = append(runs, r)
		}
	}
	return runs
}

// lastWrite is the write by which the pod ended, or nil.
func (p *podRun) lastWrite() *apiserver.Write {
	for i := range p.writes {
		if p.writes[i].RV == p.stopped {
			return &p.writes[i]
		}
	}
	return nil
}
