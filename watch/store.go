package watch

import (
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
)

// store holds the living Jobs of a watcher and their Pods, and calls the handler for
// each change, after it has stored it. The Jobs of a namespace come from one goroutine and
// its Pods from another.
//
// It cannot be client-go's indexers: those hold the Pods of a finished Job, 6.5 KB each,
// for as long as the API server does. For a waiting step it also needs half of their
// memory, since they have two sets of names for each object.
type store struct {
	handler  Handler
	readable func(record string) bool
	seed     maphash.Seed

	mu    sync.RWMutex
	jobs  map[string]*storedJob    // by namespace/name
	steps map[uint64]*storedJob    // by namespace, Execution and step, hashed: see stepKey
	done  map[string]recording     // by namespace/name: see Watcher.Recorded
	pods  map[string]*storedPod    // by namespace/name
	byJob map[types.UID]*storedPod // by the UID of their Job

	running int // of the Jobs
}

// storedJob is a Job in the store. Jobs of one step, its runs, form a list; so do
// those whose steps have the same hash.
type storedJob struct {
	job  *Job
	next *storedJob
}

// recording is the write by which this process has recorded a Job that the watch still
// shows.
type recording struct {
	uid     types.UID
	version string // of the Job after it
}

// storedPod is a Pod in the store. Pods of one Job form a list.
type storedPod struct {
	pod  *Pod
	next *storedPod
}

func newStore(handler Handler, readable func(record string) bool) *store {
	s := &store{handler: handler, readable: readable, seed: maphash.MakeSeed()}
	s.clear()
	return s
}

// clear drops everything, without a call of the handler.
func (s *store) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs, s.steps, s.done = map[string]*storedJob{}, map[uint64]*storedJob{}, map[string]recording{}
	s.pods, s.byJob = map[string]*storedPod{}, map[types.UID]*storedPod{}
}

func (s *store) stepKey(namespace string, execution types.UID, step string) uint64 {
	return maphash.Comparable(s.seed, [3]string{namespace, string(execution), step})
}

// recorded reports whether a Job's step has its record, after which the Job is not held.
// The API server's selector excludes the label, but client-go's fake clientset ignores
// selectors in a watch, and a Job that an earlier version recorded has no label.
func (s *store) recorded(job *Job) bool {
	return job.RecordedLabel || job.Record != "" && s.readable(job.Record)
}

// putJob stores the state of a Job, unless it precedes the stored one: no event need
// follow that restores the latter. A delete and a create under one name can arrive as one
// change.
func (s *store) putJob(key string, job *Job) {
	recorded := s.recorded(job)
	s.mu.Lock()
	if stored := s.jobs[key]; stored != nil && stored.job.UID == job.UID && precedes(job.ResourceVersion, stored.job.ResourceVersion) {
		s.mu.Unlock()
		return
	}
	before := s.unlinkJob(key)
	if own, ok := s.done[key]; ok {
		if own.uid == job.UID && !recorded && precedes(job.ResourceVersion, own.version) {
			recorded = true // in a state that this one precedes
		} else {
			delete(s.done, key)
		}
	}
	if before != nil && before.UID != job.UID {
		s.dropFinishedPods(before.UID)
	}
	if recorded {
		s.dropFinishedPods(job.UID)
	} else {
		step := s.stepKey(job.Namespace, job.ExecutionUID, job.Step)
		stored := &storedJob{job: job, next: s.steps[step]}
		s.jobs[key], s.steps[step] = stored, stored
		if job.running() {
			s.running++
		}
	}
	s.mu.Unlock()
	if before != nil && before.UID != job.UID {
		s.handler.JobDeleted(before)
	}
	s.handler.JobChanged(job)
}

// removeJob drops a Job that is gone or no longer selected. last is its last state; nil
// stands for the stored one.
func (s *store) removeJob(key string, last *Job) {
	s.mu.Lock()
	delete(s.done, key)
	before := s.unlinkJob(key)
	if before != nil {
		s.dropFinishedPods(before.UID)
	}
	s.mu.Unlock()
	switch {
	case last != nil:
		s.handler.JobDeleted(last)
	case before != nil:
		s.handler.JobDeleted(before)
	}
}

// setRecorded drops a Job that this process has recorded, and what the watch still shows of
// it from before. Without a stored Job the watch need not show it any more.
func (s *store) setRecorded(key string, own recording) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stored := s.jobs[key]; stored == nil || stored.job.UID != own.uid || !precedes(stored.job.ResourceVersion, own.version) {
		return
	}
	s.unlinkJob(key)
	s.dropFinishedPods(own.uid)
	s.done[key] = own
}

// precedes reports whether a resource version of an object is older than another one. Those
// that cannot be compared, as of client-go's fake clientset, are not.
func precedes(a, b string) bool {
	c, err := resourceversion.CompareResourceVersion(a, b)
	return err == nil && c < 0
}

// unlinkJob removes a Job from both maps and returns it, or nil. The caller holds the
// lock.
func (s *store) unlinkJob(key string) *Job {
	stored := s.jobs[key]
	if stored == nil {
		return nil
	}
	delete(s.jobs, key)
	job := stored.job
	if job.running() {
		s.running--
	}
	step := s.stepKey(job.Namespace, job.ExecutionUID, job.Step)
	if head := s.steps[step]; head != stored {
		for ; head.next != stored; head = head.next {
		}
		head.next = stored.next
	} else if stored.next != nil {
		s.steps[step] = stored.next
	} else {
		delete(s.steps, step)
	}
	return job
}

// dropFinishedPods drops the finished Pods of a Job that is no longer living. Those that
// are still running stay until they have finished. The caller holds the lock.
func (s *store) dropFinishedPods(job types.UID) {
	for stored := s.byJob[job]; stored != nil; {
		next := stored.next
		if stored.pod.finished() {
			s.unlinkPod(keyOf(stored.pod.Namespace, stored.pod.Name))
		}
		stored = next
	}
}

// living reports whether the Job that controls a Pod is in the store. The caller holds
// the lock.
func (s *store) living(pod *Pod) bool {
	stored := s.jobs[keyOf(pod.Namespace, pod.owner)]
	return stored != nil && stored.job.UID == pod.JobUID
}

// superfluous reports whether a Pod of a list may be left out: it has finished, its Job
// is not living, and it is not in the store either, where its absence from the list
// would look like a deletion.
func (s *store) superfluous(key string, pod *Pod) bool {
	if !pod.finished() {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	stored := s.pods[key]
	return !s.living(pod) && (stored == nil || stored.pod.UID != pod.UID)
}

// putPod stores the state of a Pod, unless it precedes the stored one, or the Pod has
// finished and its Job is not living.
func (s *store) putPod(key string, pod *Pod) {
	s.mu.Lock()
	drop := pod.finished() && !s.living(pod)
	stored := s.pods[key]
	if stored != nil && stored.pod.UID == pod.UID && precedes(pod.ResourceVersion, stored.pod.ResourceVersion) {
		s.mu.Unlock()
		return
	}
	if stored != nil && stored.pod.UID == pod.UID && stored.pod.JobUID == pod.JobUID && !drop {
		stored.pod = pod // the common case
		s.mu.Unlock()
		s.handler.PodChanged(pod)
		return
	}
	before := s.unlinkPod(key)
	if !drop {
		stored = &storedPod{pod: pod, next: s.byJob[pod.JobUID]}
		s.pods[key], s.byJob[pod.JobUID] = stored, stored
	}
	s.mu.Unlock()
	if before != nil && before.UID != pod.UID {
		s.handler.PodDeleted(before)
	}
	s.handler.PodChanged(pod)
}

// removePod drops a Pod that is gone. last is its last state; nil stands for the stored
// one.
func (s *store) removePod(key string, last *Pod) {
	s.mu.Lock()
	before := s.unlinkPod(key)
	s.mu.Unlock()
	switch {
	case last != nil:
		s.handler.PodDeleted(last)
	case before != nil:
		s.handler.PodDeleted(before)
	}
}

// unlinkPod removes a Pod from both maps and returns it, or nil. The caller holds the
// lock.
func (s *store) unlinkPod(key string) *Pod {
	stored := s.pods[key]
	if stored == nil {
		return nil
	}
	delete(s.pods, key)
	job := stored.pod.JobUID
	if head := s.byJob[job]; head != stored {
		for ; head.next != stored; head = head.next {
		}
		head.next = stored.next
	} else if stored.next != nil {
		s.byJob[job] = stored.next
	} else {
		delete(s.byJob, job)
	}
	return stored.pod
}
