package faults

import (
	"context"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// The marks on a Job that this package reads, as the library documents them.
const (
	stepLabel         = "kontinue.cloud/step"
	outcomeAnnotation = "kontinue.cloud/outcome"
	managed           = "app.kubernetes.io/managed-by=kontinue"
)

// jobHistory is all that ever happened to one Job.
type jobHistory struct {
	namespace, name, step string
	pods                  map[types.UID]bool
	outcomes              map[string]bool // every text that its outcome annotation ever had
	ended                 time.Time       // when its end was seen here
	deleted               bool
}

// history watches all Jobs and pods of kontinue, past all faults, and has the
// kubelet's part played.
type history struct {
	play func(*corev1.Pod)

	mu      sync.Mutex
	jobs    map[types.UID]*jobHistory
	failure error

	stop   context.CancelFunc
	closed sync.WaitGroup
}

func watchHistory(ctx context.Context, client kubernetes.Interface, play func(*corev1.Pod)) (*history, error) {
	list, err := client.CoreV1().Pods("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &history{play: play, stop: cancel, jobs: map[types.UID]*jobHistory{}}
	follow := func(open func(context.Context, metav1.ListOptions) (watch.Interface, error)) error {
		events, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, &cache.ListWatch{
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				o.LabelSelector = managed
				return open(ctx, o)
			},
		})
		if err != nil {
			cancel()
			return err
		}
		h.closed.Go(func() {
			for event := range events.ResultChan() {
				h.note(event)
			}
		})
		return nil
	}
	if err := follow(client.BatchV1().Jobs("").Watch); err != nil {
		return nil, err
	}
	if err := follow(client.CoreV1().Pods("").Watch); err != nil {
		h.close()
		return nil, err
	}
	return h, nil
}

// close ends the watches and waits for them.
func (h *history) close() {
	h.stop()
	h.closed.Wait()
}

func (h *history) note(event watch.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch o := event.Object.(type) {
	case *batchv1.Job:
		j := h.job(o.UID)
		j.namespace, j.name, j.step = o.Namespace, o.Name, o.Labels[stepLabel]
		j.deleted = j.deleted || event.Type == watch.Deleted
		if text := o.Annotations[outcomeAnnotation]; text != "" {
			j.outcomes[text] = true
		}
		if j.ended.IsZero() && terminal(o) {
			j.ended = time.Now()
		}
	case *corev1.Pod:
		if owner := metav1.GetControllerOf(o); owner != nil {
			h.job(owner.UID).pods[o.UID] = true
		}
		if h.play != nil {
			h.play(o)
		}
	default:
		if h.failure == nil {
			h.failure = fmt.Errorf("the watch of the history has ended: %v", event)
		}
	}
}

func (h *history) job(uid types.UID) *jobHistory {
	j := h.jobs[uid]
	if j == nil {
		j = &jobHistory{pods: map[types.UID]bool{}, outcomes: map[string]bool{}}
		h.jobs[uid] = j
	}
	return j
}

func terminal(job *batchv1.Job) bool {
	for _, c := range job.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			return true
		}
	}
	return false
}

// of returns copies of the histories of a namespace's Jobs, by step.
func (h *history) of(namespace string) map[string][]jobHistory {
	h.mu.Lock()
	defer h.mu.Unlock()
	found := map[string][]jobHistory{}
	for _, j := range h.jobs {
		if j.namespace == namespace {
			found[j.step] = append(found[j.step], *j)
		}
	}
	return found
}

// settled tells that the history knows of the recorded outcome of every step: it
// may be behind the worker, whose write was answered first.
func (h *history) settled(namespace string, steps []step) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	recorded := map[string]bool{}
	for _, j := range h.jobs {
		if j.namespace == namespace && len(j.outcomes) > 0 && !j.ended.IsZero() {
			recorded[j.step] = true
		}
	}
	return len(recorded) >= len(steps)
}
