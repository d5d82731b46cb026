package watch

import (
	"context"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
)

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

// ListPods reads the Pods that a Job controls from the API server, never from the cache:
// one consistent read of the present state.
func (w *Watcher) ListPods(ctx context.Context, namespace string, job types.UID) ([]*Pod, error) {
	requirements := []string{batchv1.ControllerUidLabel + "=" + string(job)}
	if strings.Contains(string(job), "/") {
		requirements = nil // no label value, but the stand-in for a missing UID: see NewJob
	}
	if w.cfg.PodSelector != "" {
		requirements = append(requirements, w.cfg.PodSelector)
	}
	opts := metav1.ListOptions{LabelSelector: strings.Join(requirements, ",")}
	list, err := apicall.Bounded(ctx, func(ctx context.Context) (*corev1.PodList, error) {
		return w.cfg.Clientset.CoreV1().Pods(namespace).List(ctx, opts)
	})
	if err != nil {
		return nil, &Error{Verb: "list", Resource: "pods", Namespace: namespace, Err: err}
	}
	pods := make([]*Pod, 0, len(list.Items))
	for i := range list.Items {
		if pod := NewPod(&list.Items[i]); pod.JobUID == job {
			pods = append(pods, pod)
		}
	}
	return pods, nil
}
