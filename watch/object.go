package watch

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/identity"
)

// Meta is what the cache keeps of an object's metadata. A whole
// metav1.ObjectMeta, most of it empty, would be a tenth of a waiting step.
type Meta struct {
	// Namespace and Name of the object.
	Namespace, Name string
	// UID is never empty: see [NewJob].
	UID types.UID
	// ResourceVersion of the state that is kept.
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
	// Marks are kontinue's own labels and annotations.
	identity.Metadata
	// OwnerUID is the UID of the Job's controller owner reference, empty when it
	// has none. Labels can be copied onto another Job; this tells whose it is.
	OwnerUID types.UID
	// Suspended is spec.suspend.
	Suspended bool
	// Deadline is spec.activeDeadlineSeconds, in seconds; nil means none.
	Deadline *int64
	// Status is the Job's status as the API server sent it. The cache keeps of a
	// finished Job (Config.Finished) the verdict and the counts alone.
	Status batchv1.JobStatus
}

// Pod is what the cache keeps of a Pod. It is shared and must not be modified.
type Pod struct {
	Meta
	// JobUID is the UID of the controller that owns the Pod.
	JobUID types.UID
	// Phase is status.phase.
	Phase corev1.PodPhase
	// Whole says that nothing but managedFields was taken from Object. It is
	// true from the moment that the Pod is terminal, being deleted or gone.
	Whole bool

	owner  string      // name of the controller
	object *corev1.Pod // if it is whole
	packed []byte      // otherwise what trimRunning leaves, in the API's own encoding
}

// Object is the Pod without managedFields: complete once Whole. Before that its
// spec is reduced to node, restart policy and the names and images of the
// containers (only of the init containers once the kubelet has reported on all
// others), its status to the containers' states and the conditions that are
// not True or tell of a disruption. It is made anew by each call then, since a
// corev1.Pod is large, however little is in it.
func (p *Pod) Object() *corev1.Pod {
	if p.object != nil {
		return p.object
	}
	object := new(corev1.Pod)
	_ = object.Unmarshal(p.packed) // trimmer.pod has packed it, so it is well-formed
	object.Namespace, object.Name, object.UID, object.ResourceVersion = p.Namespace, p.Name, p.UID, p.ResourceVersion
	object.CreationTimestamp, object.DeletionTimestamp = p.CreationTimestamp, p.DeletionTimestamp
	return object
}

// NewJob trims a Job as the cache does. It keeps no reference to job's spec or
// metadata. For a missing UID, as client-go's fake clientset leaves it, stands
// namespace/name.
func NewJob(job *batchv1.Job) *Job { return (*trimmer)(nil).job(job) }

// NewPod trims a Pod as the cache does. It leaves pod alone but shares its
// parts.
func NewPod(pod *corev1.Pod) *Pod { return (*trimmer)(nil).pod(pod, false) }
