package watch

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/identity"
)

// Meta is what the cache keeps of an object's metadata. A whole metav1.ObjectMeta,
// most of it empty, would be a tenth of a waiting step.
type Meta struct {
	// Namespace and Name of the object.
	Namespace, Name string
	// UID is never empty: see [NewJob].
	UID types.UID
	// ResourceVersion of that state.
	ResourceVersion string
	// CreationTimestamp is when the API server created the object.
	CreationTimestamp metav1.Time
	// DeletionTimestamp is nil until the object is being deleted.
	DeletionTimestamp *metav1.Time
}

// Job is what the cache keeps of a batch/v1 Job. It is shared and must not be
// modified, and it cannot be sent back to the API server.
type Job struct {
	Meta
	// Metadata is what kontinue's own labels and annotations say.
	identity.Metadata
	// OwnerUID is the UID of the Job's controller owner reference, or empty. It
	// identifies the Execution, since labels can be copied to another Job.
	OwnerUID types.UID
	// Contents is a hash of what the Job's containers run, which is valid in this process:
	// see [identity.Contents].
	Contents uint64
	// Suspended is spec.suspend.
	Suspended bool
	// BackoffLimit is spec.backoffLimit, and MaxFailedIndexes spec.maxFailedIndexes, or
	// -1 without one.
	BackoffLimit, MaxFailedIndexes int32
	// Deadline is spec.activeDeadlineSeconds, in seconds; nil means none.
	Deadline *int64
	// PodFailurePolicy is spec.podFailurePolicy; nil means none, as most have.
	PodFailurePolicy *batchv1.PodFailurePolicy
	// ManagedBy is spec.managedBy if that names another controller than Kubernetes' own, and
	// otherwise empty.
	ManagedBy string
	// Status is the Job's status as the API server sent it.
	Status batchv1.JobStatus

	template string // what trimTemplate leaves, in the API's own encoding
}

// running reports whether the Job has not ended and is not suspended.
func (j *Job) running() bool {
	return !j.Suspended && !slices.ContainsFunc(j.Status.Conditions, func(c batchv1.JobCondition) bool {
		return (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue
	})
}

// Template returns the spec of the Job's pod template, reduced to the restart policy, the
// deadline and the grace period of the pod, and the names and restart policies of its
// containers and init containers. Each call decodes it again.
func (j *Job) Template() *corev1.PodSpec {
	spec := new(corev1.PodSpec)
	_ = spec.Unmarshal([]byte(j.template)) // the trimmer encoded it, so it is well-formed
	return spec
}

// Pod is what the cache keeps of a Pod. It is shared and must not be modified.
type Pod struct {
	Meta
	// JobUID is the UID of the controller that owns the Pod.
	JobUID types.UID
	// Phase is status.phase.
	Phase corev1.PodPhase
	// Whole reports whether Object lacks nothing but managedFields. That is so once one of
	// the Pod's containers has terminated, and once the Pod has finished, is being deleted
	// or is gone.
	Whole bool

	owner  string      // name of the controller
	object *corev1.Pod // if the Pod is whole
	packed []byte      // otherwise what trimRunning leaves, in the API's own encoding
}

// Object returns the Pod without managedFields: complete once Whole. Before that its
// spec is reduced to node, restart policy and the names and images of the containers
// (only of the init containers once the kubelet has reported on all others), and its
// status to the containers' states and the conditions that are not True or announce a
// disruption. Each call then decodes it again, since a corev1.Pod is large even if most
// of it is empty.
func (p *Pod) Object() *corev1.Pod {
	if p.object != nil {
		return p.object
	}
	object := new(corev1.Pod)
	_ = object.Unmarshal(p.packed) // trimmer.pack encoded it, so it is well-formed
	object.Namespace, object.Name, object.UID, object.ResourceVersion = p.Namespace, p.Name, p.UID, p.ResourceVersion
	object.CreationTimestamp, object.DeletionTimestamp = p.CreationTimestamp, p.DeletionTimestamp
	return object
}

// finished reports whether the phase is final.
func (p *Pod) finished() bool {
	return p.Phase == corev1.PodSucceeded || p.Phase == corev1.PodFailed
}

// NewJob trims a Job as the cache does. It keeps no reference to job's spec or
// metadata. A missing UID, as from client-go's fake clientset, becomes namespace/name.
func NewJob(job *batchv1.Job) *Job { return (*trimmer)(nil).job(job) }

// NewPod trims a Pod as the cache does. It does not modify pod, and shares its parts.
func NewPod(pod *corev1.Pod) *Pod { return (*trimmer)(nil).pod(pod, false) }
