package devcluster

import (
	"slices"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/identity"
)

// maxGone bounds the deleted Jobs that are kept.
const maxGone = 10_000

// ledger has the Jobs that were created in the order of their creation, those that were
// deleted among them.
type ledger struct {
	mu    sync.Mutex
	jobs  []*entry
	byUID map[types.UID]*entry
	runs  map[runKey]int
	gone  int // deleted ones in jobs
}

// entry is a Job in its last state.
type entry struct {
	job     *batchv1.Job // shared
	retry   int          // Jobs of the step in the same attempt before it
	deleted bool
}

// runKey is what the retries of a step are counted by.
type runKey struct {
	execution types.UID
	step      string
	attempt   int
}

func newLedger() *ledger {
	return &ledger{byUID: map[types.UID]*entry{}, runs: map[runKey]int{}}
}

// note is called with each write to the cluster.
func (l *ledger) note(w apiserver.Write) {
	job, exists := w.New.(*batchv1.Job)
	if !exists {
		if job, exists = w.Old.(*batchv1.Job); !exists {
			return
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.byUID[job.UID]
	if e == nil {
		e = &entry{retry: l.count(job)}
		l.jobs = append(l.jobs, e)
		l.byUID[job.UID] = e
	}
	e.job = job
	if w.New == nil {
		e.deleted = true
		if l.gone++; l.gone > 2*maxGone {
			l.forget()
		}
	}
}

// count returns how many Jobs the step had before in the attempt.
func (l *ledger) count(job *batchv1.Job) int {
	meta := identity.MetadataOf(job)
	key := runKey{meta.ExecutionUID, meta.Step, meta.Attempt}
	n := l.runs[key]
	l.runs[key] = n + 1
	return n
}

// forget drops the oldest half of the deleted Jobs.
func (l *ledger) forget() {
	l.jobs = slices.DeleteFunc(l.jobs, func(e *entry) bool {
		if !e.deleted || l.gone <= maxGone {
			return false
		}
		l.gone--
		delete(l.byUID, e.job.UID)
		return true
	})
}

// of returns copies of the Jobs of an Execution.
func (l *ledger) of(execution types.UID) []batchv1.Job {
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []batchv1.Job
	for _, e := range l.jobs {
		if identity.MetadataOf(e.job).ExecutionUID == execution {
			found = append(found, *e.job.DeepCopy())
		}
	}
	return found
}

// retry returns how many Jobs the step had in the same attempt before the Job.
func (l *ledger) retry(job types.UID) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.byUID[job]; e != nil {
		return e.retry
	}
	return 0
}
