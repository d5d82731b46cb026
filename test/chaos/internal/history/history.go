package history

import (
	"context"
	"fmt"
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
)

// Labels and annotations of the library, as documented. They are literals here, so
// that a change of the library's constants makes the tests fail.
const (
	LabelManagedBy    = "app.kubernetes.io/managed-by"
	LabelStep         = "kontinue.cloud/step"
	LabelExecution    = "kontinue.cloud/execution-uid"
	AnnotationRun     = "kontinue.cloud/run"
	AnnotationAttempt = "kontinue.cloud/attempt"
	AnnotationRecord  = "kontinue.cloud/outcome"
)

// Job is one Job as the watches have shown it.
type Job struct {
	UID                   types.UID
	Namespace, Name, Step string
	// Execution is the UID of the Execution that the Job belongs to.
	Execution types.UID
	// Run is the number of the step's run, and Attempt the attempt that created it. They
	// are 0 until the Job itself has been seen.
	Run, Attempt int
	// Span is from the creation of the Job to its terminal condition or its end.
	Span
	// Pods holds all pods that the Job ever had.
	Pods map[types.UID]*Pod
	// Records are the distinct values that the record's annotation ever had.
	Records []string
	// Recorded is the resource version with the first of them, and Deleting that with the
	// deletion timestamp; 0 means none.
	Recorded, Deleting uint64
	// Ended is when the watch showed the Job's terminal condition.
	Ended   time.Time
	Deleted bool

	seen bool // whether the Job itself was seen, and not just a pod of it
}

// Pod is one pod as the watches have shown it.
type Pod struct {
	Phase corev1.PodPhase // the latest
	// Span is from the time at which it runs to its final phase or its end.
	Span
}

// Span is a time in resource versions, of which the API server promises that they grow.
// 0 means not yet.
type Span struct{ Began, Over uint64 }

// Overlaps reports whether two objects of one type existed, or two pods ran, at the same
// time.
func (s Span) Overlaps(other Span) bool {
	before := func(a, b Span) bool { return a.Began == 0 || b.Began == 0 || a.Over != 0 && a.Over <= b.Began }
	return !before(s, other) && !before(other, s)
}

// observe takes in the state that an event shows.
func (s *Span) observe(object metav1.Object, began, over bool) {
	if s.Began == 0 && began {
		s.Began = versionOf(object)
	}
	if s.Over == 0 && over {
		s.Over = versionOf(object)
	}
}

func versionOf(object metav1.Object) uint64 {
	version, _ := strconv.ParseUint(object.GetResourceVersion(), 10, 64)
	return version
}

// History records Jobs and pods. Its methods are safe for concurrent use.
type History struct {
	client kubernetes.Interface
	onPod  func(*corev1.Pod)

	mu       sync.Mutex
	jobs     map[types.UID]*Job
	triggers map[*Trigger]bool
	failure  error

	stop    context.CancelFunc
	watches sync.WaitGroup
}

// New returns an empty History that reads objects with client. onPod, if not nil, is
// called with the pod of every event and must not block.
func New(client kubernetes.Interface, onPod func(*corev1.Pod)) *History {
	return &History{
		client: client, onPod: onPod, stop: func() {},
		jobs: map[types.UID]*Job{}, triggers: map[*Trigger]bool{},
	}
}

// Observe adds an event of a Job or a Pod.
func (h *History) Observe(event watch.Event) {
	switch object := event.Object.(type) {
	case *batchv1.Job:
		h.job(event.Type, object)
	case *corev1.Pod:
		h.pod(event.Type, object)
		if h.onPod != nil {
			h.onPod(object)
		}
	default:
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.failure == nil {
			h.failure = fmt.Errorf("history watch failed: %v", event)
		}
	}
}

func (h *History) job(event watch.EventType, job *batchv1.Job) {
	h.mu.Lock()
	defer h.mu.Unlock()
	j := h.know(job)
	if event == watch.Added {
		h.reached(j.Execution, Created)
	}
	j.Deleted = j.Deleted || event == watch.Deleted
	if j.Deleting == 0 && job.DeletionTimestamp != nil {
		j.Deleting = versionOf(job)
	}
	j.observe(job, true, terminal(job) || event == watch.Deleted)
	if j.Ended.IsZero() && terminal(job) {
		j.Ended = time.Now()
		h.reached(j.Execution, Ended)
	}
	if text := job.Annotations[AnnotationRecord]; text != "" && !slices.Contains(j.Records, text) {
		j.Records = append(j.Records, text)
		if j.Recorded == 0 {
			j.Recorded = versionOf(job)
		}
		h.reached(j.Execution, Recorded)
	}
}

func (h *History) pod(event watch.EventType, pod *corev1.Pod) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	j := h.entry(owner.UID)
	j.Namespace, j.Name = pod.Namespace, owner.Name
	j.Step, j.Execution = pod.Labels[LabelStep], types.UID(pod.Labels[LabelExecution])
	p := j.Pods[pod.UID]
	if p == nil {
		p = &Pod{}
		j.Pods[pod.UID] = p
		h.reached(j.Execution, Pending)
	}
	before := p.Phase
	p.Phase = pod.Status.Phase
	over := p.Phase == corev1.PodSucceeded || p.Phase == corev1.PodFailed
	p.observe(pod, over || p.Phase == corev1.PodRunning, over || event == watch.Deleted)
	if p.Phase == corev1.PodRunning && before != corev1.PodRunning {
		h.reached(j.Execution, Running)
	}
}

// know returns the entry of a Job, and marks it as seen. The caller holds the lock.
func (h *History) know(job *batchv1.Job) *Job {
	j := h.entry(job.UID)
	if !j.seen {
		j.seen = true
		j.Namespace, j.Name = job.Namespace, job.Name
		j.Step, j.Execution = job.Labels[LabelStep], types.UID(job.Labels[LabelExecution])
		j.Run, _ = strconv.Atoi(job.Annotations[AnnotationRun])
		j.Attempt, _ = strconv.Atoi(job.Annotations[AnnotationAttempt])
	}
	return j
}

// entry returns the entry of a Job, and adds it if there is none. The caller holds
// the lock.
func (h *History) entry(uid types.UID) *Job {
	j := h.jobs[uid]
	if j == nil {
		j = &Job{UID: uid, Pods: map[types.UID]*Pod{}}
		h.jobs[uid] = j
	}
	return j
}

func terminal(job *batchv1.Job) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed)
	})
}

// RunOf returns the run of the step that a pod belongs to. It reads the Job if the
// watch of Jobs lags behind that of pods.
func (h *History) RunOf(ctx context.Context, pod *corev1.Pod) (int, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return 0, fmt.Errorf("pod %s/%s has no controller", pod.Namespace, pod.Name)
	}
	h.mu.Lock()
	j := h.jobs[owner.UID]
	if j != nil && j.seen {
		defer h.mu.Unlock()
		return j.Run, nil
	}
	h.mu.Unlock()
	job, err := h.client.BatchV1().Jobs(pod.Namespace).Get(ctx, owner.Name, metav1.GetOptions{})
	if err != nil {
		return 0, err
	}
	if job.UID != owner.UID {
		return 0, fmt.Errorf("job %s/%s has another UID than the controller of pod %s", pod.Namespace, job.Name, pod.Name)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.know(job).Run, nil
}

// Jobs returns copies of all Jobs that match.
func (h *History) Jobs(match func(*Job) bool) []Job {
	h.mu.Lock()
	defer h.mu.Unlock()
	var jobs []Job
	for _, j := range h.jobs {
		if match(j) {
			copied := *j
			copied.Pods, copied.Records = make(map[types.UID]*Pod, len(j.Pods)), slices.Clone(j.Records)
			for uid, p := range j.Pods {
				copied.Pods[uid] = new(*p)
			}
			jobs = append(jobs, copied)
		}
	}
	slices.SortFunc(jobs, compare)
	return jobs
}

// Err returns an error if events were missed. The history then proves nothing.
func (h *History) Err() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.failure
}
