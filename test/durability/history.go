package durability

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	executionLabel    = "kontinue.cloud/execution-uid"
	runAnnotation     = "kontinue.cloud/run"
	outcomeAnnotation = "kontinue.cloud/outcome"
)

// moment is a point in the life of a step, as the cluster shows it.
type moment string

const (
	created  moment = "created" // the Job exists
	pending  moment = "pending" // its pod exists
	running  moment = "running" // its pod runs
	ended    moment = "ended"   // the Job has ended, and its outcome is not recorded
	recorded moment = "recorded"
)

// jobHistory is all that ever happened to one Job.
type jobHistory struct {
	uid       types.UID
	name      string
	execution types.UID
	step      string
	run       int
	pods      map[types.UID]bool
	outcomes  map[string]bool // every text that its outcome annotation ever had
	ended     bool
	deleted   bool
}

// history watches all Jobs and pods of a namespace from the beginning.
type history struct {
	client    kubernetes.Interface
	namespace string
	onPod     func(watch.EventType, *corev1.Pod, step, int)

	mu       sync.Mutex
	jobs     map[types.UID]*jobHistory
	triggers map[*trigger]bool
	failure  error

	stop  context.CancelFunc
	ended sync.WaitGroup
}

// trigger calls fire at the n-th moment of a kind in an Execution.
type trigger struct {
	execution types.UID
	moment    moment
	left      int
	fire      func()
}

// watchHistory opens the two watches. onPod is told of every change of a pod of
// a step, with the step and its run.
func watchHistory(ctx context.Context, client kubernetes.Interface, namespace string, onPod func(watch.EventType, *corev1.Pod, step, int)) (*history, error) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	h := &history{
		client: client, namespace: namespace, onPod: onPod, stop: cancel,
		jobs: map[types.UID]*jobHistory{}, triggers: map[*trigger]bool{},
	}
	jobs := &cache.ListWatch{WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		return client.BatchV1().Jobs(namespace).Watch(ctx, o)
	}}
	pods := &cache.ListWatch{WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
		return client.CoreV1().Pods(namespace).Watch(ctx, o)
	}}
	list, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		cancel()
		return nil, err
	}
	// Of the Jobs first: a pod's Job is then known when the pod is.
	for _, w := range []struct {
		of   *cache.ListWatch
		note func(watch.Event)
	}{{jobs, h.job}, {pods, h.pod}} {
		events, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, w.of)
		if err != nil {
			cancel()
			return nil, err
		}
		h.ended.Go(func() {
			for event := range events.ResultChan() {
				w.note(event)
			}
		})
	}
	return h, nil
}

// close ends the watches and waits for them.
func (h *history) close() {
	h.stop()
	h.ended.Wait()
}

func (h *history) job(event watch.Event) {
	job, ok := event.Object.(*batchv1.Job)
	if !ok {
		h.fail(event)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	j := h.known(job)
	if event.Type == watch.Added {
		h.reached(j.execution, created)
	}
	j.deleted = j.deleted || event.Type == watch.Deleted
	terminal := false
	for _, c := range job.Status.Conditions {
		terminal = terminal || c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed)
	}
	if terminal && !j.ended {
		j.ended = true
		h.reached(j.execution, ended)
	}
	if text := job.Annotations[outcomeAnnotation]; text != "" && !j.outcomes[text] {
		j.outcomes[text] = true
		h.reached(j.execution, recorded)
	}
}

// known adds a Job that was not known yet.
func (h *history) known(job *batchv1.Job) *jobHistory {
	j := h.jobs[job.UID]
	if j == nil {
		run, _ := strconv.Atoi(job.Annotations[runAnnotation])
		j = &jobHistory{
			uid: job.UID, name: job.Name, execution: types.UID(job.Labels[executionLabel]), step: job.Labels[stepLabel], run: run,
			pods: map[types.UID]bool{}, outcomes: map[string]bool{},
		}
		h.jobs[job.UID] = j
	}
	return j
}

func (h *history) pod(event watch.Event) {
	pod, ok := event.Object.(*corev1.Pod)
	if !ok {
		h.fail(event)
		return
	}
	owner := metav1.GetControllerOf(pod)
	s, isStep := stepNamed(pod.Labels[stepLabel])
	if owner == nil {
		return
	}
	if !isStep {
		s = step{name: pod.Labels[stepLabel], codes: []int32{0}}
	}
	run, err := h.runOf(owner.UID, owner.Name)
	if err != nil {
		return // the Job is gone, and nobody waits for it
	}
	h.mu.Lock()
	j := h.jobs[owner.UID]
	at := pending
	if pod.Status.Phase == corev1.PodRunning {
		at = running
	}
	if event.Type == watch.Added || at == running {
		j.pods[pod.UID] = true
		h.reached(j.execution, at)
	}
	h.mu.Unlock()
	h.onPod(event.Type, pod, s, run)
}

// runOf is the run number of a Job; the watch of the Jobs may be behind.
func (h *history) runOf(uid types.UID, name string) (int, error) {
	h.mu.Lock()
	j := h.jobs[uid]
	h.mu.Unlock()
	if j != nil {
		return j.run, nil
	}
	job, err := h.client.BatchV1().Jobs(h.namespace).Get(context.Background(), name, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	if job.UID != uid {
		return 0, fmt.Errorf("job %s has another UID", name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.known(job).run, nil
}

// reached fires the triggers. The caller holds the lock.
func (h *history) reached(execution types.UID, m moment) {
	for t := range maps.Clone(h.triggers) {
		if t.execution == execution && t.moment == m {
			if t.left--; t.left == 0 {
				delete(h.triggers, t)
				t.fire()
			}
		}
	}
}

// on sets a trigger, until undo.
func (h *history) on(t *trigger) (undo func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.triggers[t] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.triggers, t)
	}
}

// fail notes that events are missing: the history is worth nothing then.
func (h *history) fail(event watch.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failure == nil && event.Type == watch.Error {
		h.failure = fmt.Errorf("the watch has failed: %v", event.Object)
	}
}

// settle waits until the watch has shown what the workers of an Execution have
// done last, or for some seconds: then it is missing.
func (h *history) settle(execution types.UID) {
	ctx, cancel := context.WithTimeout(context.Background(), settleLimit)
	defer cancel()
	for {
		behind := slices.ContainsFunc(h.of(execution), func(j jobHistory) bool { return len(j.outcomes) == 0 })
		if !behind || !pause(ctx, 50*time.Millisecond) {
			return
		}
	}
}

const settleLimit = 15 * time.Second

// of are the Jobs that an Execution ever had.
func (h *history) of(execution types.UID) (jobs []jobHistory) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, j := range h.jobs {
		if j.execution == execution {
			copied := *j
			copied.pods, copied.outcomes = maps.Clone(j.pods), maps.Clone(j.outcomes)
			jobs = append(jobs, copied)
		}
	}
	return jobs
}
