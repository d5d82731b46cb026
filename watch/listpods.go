package watch

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
)

const (
	// maxPodLists is how many LISTs of [Watcher.ListPods] are open at a time. If the
	// watch of Pods lags, thousands of steps call at once, and each LIST makes the API
	// server scan all Pods of the namespace.
	maxPodLists = 4
	// maxPodJobs is the number of Jobs per LIST. Their UIDs take 4 KB of its URL.
	maxPodJobs = 100
)

// podReads are the LISTs of [Watcher.ListPods]. Calls that wait at the same time share
// them.
type podReads struct {
	sending chan struct{} // one element for each open LIST

	mu   sync.Mutex
	next map[string]*podRead // by namespace: the LIST that the next call joins
}

// podRead is one LIST, of the Pods of several Jobs.
type podRead struct {
	begun bool // guarded by podReads.mu, as pods is until then
	pods  map[types.UID][]*Pod

	done      chan struct{} // closed when the rest is known
	err       error
	abandoned bool // the context of the call that sent it has ended
}

// ListPods reads the Pods that a Job controls from the API server, never from the cache,
// with one consistent read of the state after the call. Calls that wait at the same time
// share requests, of which at most 4 are open.
func (w *Watcher) ListPods(ctx context.Context, namespace string, job types.UID) ([]*Pod, error) {
	for {
		read := w.reads.join(namespace, job)
		select {
		case w.reads.sending <- struct{}{}:
			if w.reads.begin(namespace, read) {
				read.err = w.listPods(ctx, namespace, read.pods)
				read.abandoned = ctx.Err() != nil
				close(read.done)
			}
			<-w.reads.sending
		case <-read.done:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		select {
		case <-read.done: // another call may have begun it
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		if !read.abandoned || ctx.Err() != nil {
			return read.pods[job], read.err
		}
	}
}

// join adds a Job to the next LIST of a namespace.
func (r *podReads) join(namespace string, job types.UID) *podRead {
	r.mu.Lock()
	defer r.mu.Unlock()
	read := r.next[namespace]
	if read == nil || len(read.pods) == maxPodJobs {
		read = &podRead{pods: map[types.UID][]*Pod{}, done: make(chan struct{})}
		if r.next == nil {
			r.next = map[string]*podRead{}
		}
		r.next[namespace] = read
	}
	read.pods[job] = nil
	return read
}

// begin closes a LIST to further calls. It reports whether the caller has to send it.
func (r *podReads) begin(namespace string, read *podRead) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if read.begun {
		return false
	}
	read.begun = true
	if r.next[namespace] == read {
		delete(r.next, namespace)
	}
	return true
}

// listPods sends one LIST, and adds to pods those of each Job in it.
func (w *Watcher) listPods(ctx context.Context, namespace string, pods map[types.UID][]*Pod) error {
	jobs := slices.Sorted(maps.Keys(pods))
	// Not PodSelector as well: a pod whose labels others have removed is still the Job's.
	options := metav1.ListOptions{LabelSelector: batchv1.ControllerUidLabel + " in (" + strings.Join(uids(jobs), ",") + ")"}
	// The stand-in for a missing UID is no label value: see NewJob.
	if slices.ContainsFunc(jobs, func(job types.UID) bool { return strings.Contains(string(job), "/") }) {
		options.LabelSelector = w.cfg.PodSelector
	}
	list, err := apicall.Bounded(ctx, func(ctx context.Context) (*corev1.PodList, error) {
		return w.cfg.Clientset.CoreV1().Pods(namespace).List(ctx, options)
	})
	if err != nil {
		return &Error{Verb: "list", Resource: "pods", Namespace: namespace, Err: err}
	}
	for i := range list.Items {
		pod := NewPod(&list.Items[i])
		if known, wanted := pods[pod.JobUID]; wanted {
			pods[pod.JobUID] = append(known, pod)
		}
	}
	return nil
}

func uids(jobs []types.UID) []string {
	values := make([]string, len(jobs))
	for i, job := range jobs {
		values[i] = string(job)
	}
	return values
}
