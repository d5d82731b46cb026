package watch

import "k8s.io/apimachinery/pkg/types"

// Running returns the number of cached Jobs that have not ended and are not suspended.
func (w *Watcher) Running() int {
	s := w.store()
	if s == nil {
		return 0
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.running
}

// Job returns the cached Job of that name. False means that it is not in the cache, not
// that it does not exist.
func (w *Watcher) Job(namespace, name string) (*Job, bool) {
	s := w.store()
	if s == nil {
		return nil, false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	stored := s.jobs[keyOf(namespace, name)]
	if stored == nil {
		return nil, false
	}
	return stored.job, true
}

// Jobs returns the cached Jobs of one step of an Execution, in no order.
func (w *Watcher) Jobs(namespace string, execution types.UID, step string) (jobs []*Job) {
	s := w.store()
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for stored := s.steps[s.stepKey(namespace, execution, step)]; stored != nil; stored = stored.next {
		if j := stored.job; j.Namespace == namespace && j.ExecutionUID == execution && j.Step == step {
			jobs = append(jobs, j)
		}
	}
	return jobs
}

// Recorded takes in that this process has recorded a Job, which has that resource version
// since: the Job leaves the cache at once and not with the watch's next event, and states
// from before do not bring it back.
func (w *Watcher) Recorded(namespace, name string, job types.UID, version string) {
	if s := w.store(); s != nil {
		s.setRecorded(keyOf(namespace, name), recording{job, version})
	}
}

// Pods returns the cached Pods that a Job controls, in no order. The finished ones of a
// Job that is not cached are not there: [Watcher.ListPods] reads them.
func (w *Watcher) Pods(namespace string, job types.UID) (pods []*Pod) {
	s := w.store()
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for stored := s.byJob[job]; stored != nil; stored = stored.next {
		if stored.pod.Namespace == namespace {
			pods = append(pods, stored.pod)
		}
	}
	return pods
}

// store returns the store of the current run, or nil.
func (w *Watcher) store() *store {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == nil {
		return nil
	}
	return w.run.store
}
