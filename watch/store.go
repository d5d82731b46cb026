package watch

import (
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// store holds the Jobs and Pods of a watcher, and tells the handler of what
// changes in it; what is told is in the store by then. Each kind is written by
// its own informer's event handler alone.
//
// It takes the place of client-go's indexers for their size: with two sets of
// names for each object those are half of what a waiting step costs, and they
// cannot let go of the Pods of a finished Job.
type store struct {
	handler  Handler
	finished func(*Job) bool
	seed     maphash.Seed

	mu    sync.RWMutex
	jobs  map[string]*keptJob    // by name
	steps map[uint64]*keptJob    // by Execution and step, hashed: see stepKey
	pods  map[string]*keptPod    // by name
	byJob map[types.UID]*keptPod // by the UID of their Job

	origins origins                  // used by putJob alone
	recent  [RecentlyFinished]jobRef // whose Pods are kept all the same
	oldest  int                      // in recent
}

// RecentlyFinished is how many finished Jobs (Config.Finished) a cache keeps the
// Pods of, those that it has seen finished last.
const RecentlyFinished = 64

// jobRef names a Job.
type jobRef struct {
	name string
	uid  types.UID
}

// keptJob is a Job in the store. Jobs of one step, its runs, form a list; so do
// those whose steps have the same hash.
type keptJob struct {
	job  *Job // nil once it is finished
	done *finishedJob
	next *keptJob
}

// keptPod is a Pod in the store. Pods of one Job form a list.
type keptPod struct {
	pod  *Pod
	next *keptPod
}

func newStore(handler Handler, finished func(*Job) bool) *store {
	if finished == nil {
		finished = func(*Job) bool { return false }
	}
	return &store{
		handler: handler, finished: finished, seed: maphash.MakeSeed(),
		jobs: map[string]*keptJob{}, steps: map[uint64]*keptJob{},
		pods: map[string]*keptPod{}, byJob: map[types.UID]*keptPod{},
	}
}

func (k *keptJob) view() *Job {
	if k.done != nil {
		return k.done.job()
	}
	return k.job
}

func (k *keptJob) step() (execution types.UID, step string) {
	if k.done != nil {
		return k.done.origin.execution, k.done.stepName()
	}
	return k.job.ExecutionUID, k.job.Step
}

func (k *keptJob) uid() types.UID {
	if k.done != nil {
		return k.done.uid()
	}
	return k.job.UID
}

func (s *store) stepKey(execution types.UID, step string) uint64 {
	return maphash.Comparable(s.seed, [2]string{string(execution), step})
}

// putJob takes in a Job's state and tells of it. A delete and a create under one
// name can arrive as one change.
func (s *store) putJob(job *Job) {
	kept := &keptJob{job: job}
	if s.finished(job) {
		if done := newFinishedJob(job, &s.origins); done != nil {
			kept.job, kept.done = nil, done
		}
	}
	s.mu.Lock()
	before := s.unlinkJob(job.Name)
	s.jobs[job.Name] = kept
	key := s.stepKey(job.ExecutionUID, job.Step)
	kept.next = s.steps[key]
	s.steps[key] = kept
	if done := kept.done; done != nil {
		if before != nil && before.done != nil && before.done.uid() == job.UID {
			done.recent = before.done.recent
		} else {
			done.recent = true
			s.retire(jobRef{job.Name, job.UID})
		}
	}
	s.mu.Unlock()
	if before != nil && before.uid() != job.UID {
		s.handler.JobDeleted(before.view())
	}
	s.handler.JobChanged(job)
}

// removeJob forgets the Job of that name, if there is one, and tells of its last
// state; nil means the one that is known.
func (s *store) removeJob(name string, last *Job) {
	s.mu.Lock()
	before := s.unlinkJob(name)
	s.mu.Unlock()
	switch {
	case last != nil:
		s.handler.JobDeleted(last)
	case before != nil:
		s.handler.JobDeleted(before.view())
	}
}

// unlinkJob takes a Job out of both maps. The caller holds the lock.
func (s *store) unlinkJob(name string) *keptJob {
	kept := s.jobs[name]
	if kept == nil {
		return nil
	}
	delete(s.jobs, name)
	key := s.stepKey(kept.step())
	if head := s.steps[key]; head != kept {
		for ; head.next != kept; head = head.next {
		}
		head.next = kept.next
	} else if kept.next != nil {
		s.steps[key] = kept.next
	} else {
		delete(s.steps, key)
	}
	return kept
}

// retire notes that a Job is finished, and forgets the Pods of the one that has
// been for the longest. The caller holds the lock.
func (s *store) retire(job jobRef) {
	old := s.recent[s.oldest]
	s.recent[s.oldest] = job
	s.oldest = (s.oldest + 1) % len(s.recent)
	if kept := s.jobs[old.name]; kept != nil && kept.done != nil && kept.done.uid() == old.uid {
		kept.done.recent = false
		for pod := s.byJob[old.uid]; pod != nil; pod = pod.next {
			delete(s.pods, pod.pod.Name)
		}
		delete(s.byJob, old.uid)
	}
}

// putPod takes in a Pod's state and tells of it. The Pods of Jobs that have been
// finished for long are not kept.
func (s *store) putPod(pod *Pod) {
	s.mu.Lock()
	if kept := s.pods[pod.Name]; kept != nil && kept.pod.UID == pod.UID && kept.pod.JobUID == pod.JobUID {
		kept.pod = pod // as mostly
		s.mu.Unlock()
		s.handler.PodChanged(pod)
		return
	}
	before := s.unlinkPod(pod.Name)
	if job := s.jobs[pod.owner]; job == nil || job.done == nil || job.done.recent || job.done.uid() != pod.JobUID {
		kept := &keptPod{pod: pod, next: s.byJob[pod.JobUID]}
		s.pods[pod.Name] = kept
		s.byJob[pod.JobUID] = kept
	}
	s.mu.Unlock()
	if before != nil && before.pod.UID != pod.UID {
		s.handler.PodDeleted(before.pod)
	}
	s.handler.PodChanged(pod)
}

// removePod forgets the Pod of that name, if there is one, and tells of its last
// state; nil means the one that is known.
func (s *store) removePod(name string, last *Pod) {
	s.mu.Lock()
	before := s.unlinkPod(name)
	s.mu.Unlock()
	switch {
	case last != nil:
		s.handler.PodDeleted(last)
	case before != nil:
		s.handler.PodDeleted(before.pod)
	}
}

// unlinkPod takes a Pod out of both maps. The caller holds the lock.
func (s *store) unlinkPod(name string) *keptPod {
	kept := s.pods[name]
	if kept == nil {
		return nil
	}
	delete(s.pods, name)
	job := kept.pod.JobUID
	if head := s.byJob[job]; head != kept {
		for ; head.next != kept; head = head.next {
		}
		head.next = kept.next
	} else if kept.next != nil {
		s.byJob[job] = kept.next
	} else {
		delete(s.byJob, job)
	}
	return kept
}
