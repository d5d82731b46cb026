package watch

import (
	"time"
	"unsafe"
)

// Stats is what a [Watcher] has done and holds, as of now.
type Stats struct {
	// Watches are those of Jobs and, in the same order, those of Pods.
	Watches []Activity
	// Jobs and Pods are how many the cache holds, and JobBytes and PodBytes about how much
	// they take: of Pods their encoding in the API's binary form.
	Jobs, JobBytes, Pods, PodBytes int
}

// Activity is what the watches of a resource have done, in one namespace or in all.
type Activity struct {
	// Resource is jobs or pods. An empty Namespace stands for all.
	Resource, Namespace string
	// Open reports whether a watch is open, as far as it is known.
	Open bool
	// Opened is how many watches were opened, the first among them: an API server ends each
	// after some minutes.
	Opened int
	// Heard is when data came last, an event or a bookmark, by the clock of this process. It
	// is zero if that is not known, as of a fake clientset that sends no bookmarks.
	Heard time.Time
}

// Stats returns what the watcher has done and holds; zero before Start. It walks the cache,
// which takes a millisecond for some thousands of objects.
func (w *Watcher) Stats() (s Stats) {
	w.mu.Lock()
	r := w.run
	w.mu.Unlock()
	if r == nil {
		return s
	}
	for _, res := range r.resources() {
		a := res.listerWatcher.Activity()
		s.Watches = append(s.Watches, Activity{Resource: res.name, Namespace: res.namespace, Open: a.Open, Opened: a.Opened, Heard: a.Heard})
	}
	r.store.mu.RLock()
	defer r.store.mu.RUnlock()
	s.Jobs, s.Pods = len(r.store.jobs), len(r.store.pods)
	for _, stored := range r.store.jobs {
		s.JobBytes += stored.job.size()
	}
	for _, stored := range r.store.pods {
		s.PodBytes += stored.pod.size()
	}
	return s
}

// size is about how many bytes a Job takes in the cache. What is interned counts for nothing.
func (j *Job) size() int {
	n := int(unsafe.Sizeof(storedJob{})+unsafe.Sizeof(*j)) + j.Meta.size()
	n += len(j.Step) + len(j.SpecHash) + len(j.Record) + len(j.GaveUp) + len(j.TraceParent) + j.Status.Size()
	if j.PodFailurePolicy != nil {
		n += j.PodFailurePolicy.Size()
	}
	return n
}

// size is about how many bytes a Pod takes in the cache, encoded.
func (p *Pod) size() int {
	n := int(unsafe.Sizeof(storedPod{})+unsafe.Sizeof(*p)) + p.Meta.size() + len(p.JobUID) + len(p.packed)
	if p.object != nil {
		n += p.object.Size()
	}
	return n
}

func (m *Meta) size() int { return len(m.Name) + len(m.UID) + len(m.ResourceVersion) }
