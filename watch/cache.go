package watch

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Job returns the cached Job of that name. False means that it is not in the
// cache, never that it does not exist.
func (w *Watcher) Job(namespace, name string) (*Job, bool) {
	s := w.current()
	if s == nil {
		return nil, false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	kept := s.jobs[name]
	if kept == nil {
		return nil, false
	}
	job := kept.view()
	return job, job.Namespace == namespace
}

// Jobs returns the cached Jobs of one step of an Execution, in no order.
func (w *Watcher) Jobs(execution types.UID, step string) (jobs []*Job) {
	s := w.current()
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for kept := s.steps[s.stepKey(execution, step)]; kept != nil; kept = kept.next {
		if e, n := kept.step(); e == execution && n == step {
			jobs = append(jobs, kept.view())
		}
	}
	return jobs
}

// Pods returns the cached Pods that a Job controls, in no order. Of
// finished Jobs (Config.Finished) only the last [RecentlyFinished] have theirs in
// the cache.
func (w *Watcher) Pods(job types.UID) (pods []*Pod) {
	s := w.current()
	if s == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for kept := s.byJob[job]; kept != nil; kept = kept.next {
		pods = append(pods, kept.pod)
	}
	return pods
}

func (w *Watcher) current() *store {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == nil {
		return nil
	}
	return w.run.store
}

// ListPods reads the Pods that a Job controls from the API server, never from
// the cache: a consistent read of what there is now.
func (w *Watcher) ListPods(ctx context.Context, job types.UID) ([]*Pod, error) {
	opts := w.selected(metav1.ListOptions{}, batchv1.ControllerUidLabel+"="+string(job))
	list, err := answered(ctx, opts, w.cfg.Clientset.CoreV1().Pods(w.cfg.Namespace).List)
	if err != nil {
		return nil, &Error{Verb: "list", Resource: "pods", Namespace: w.cfg.Namespace, Err: err}
	}
	pods := make([]*Pod, 0, len(list.Items))
	for i := range list.Items {
		if pod := NewPod(&list.Items[i]); pod.JobUID == job {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}
