package watch

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
)

// Job returns the cached Job of that name. False means that it is not in the
// cache, never that it does not exist.
func (w *Watcher) Job(namespace, name string) (*Job, bool) {
	r := w.current()
	if r == nil {
		return nil, false
	}
	obj, ok, _ := r.jobs.GetByKey(namespace + "/" + name)
	job, isJob := obj.(*Job)
	return job, ok && isJob
}

// Jobs returns the cached Jobs of one step of an Execution, in no order.
func (w *Watcher) Jobs(execution types.UID, step string) []*Job {
	if r := w.current(); r != nil {
		return lookUp[*Job](r.jobs, byStep, stepKey(execution, step))
	}
	return nil
}

// Pods returns the cached Pods that a Job controls, in no order.
func (w *Watcher) Pods(job types.UID) []*Pod {
	if r := w.current(); r != nil {
		return lookUp[*Pod](r.pods, byJob, string(job))
	}
	return nil
}

func (w *Watcher) current() *run {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.run
}

func lookUp[T any](indexer cache.Indexer, index, key string) []T {
	objs, err := indexer.ByIndex(index, key)
	if err != nil {
		return nil // the index exists: this package made it
	}
	out := make([]T, 0, len(objs))
	for _, obj := range objs {
		if t, ok := obj.(T); ok {
			out = append(out, t)
		}
	}
	return out
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
