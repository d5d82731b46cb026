package watch

import (
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/kontinue/kontinue/internal/identity"
)

// Job is what the cache keeps of a batch/v1 Job. It is shared and must not be
// modified, and it cannot be sent back to the API server.
type Job struct {
	// ObjectMeta holds name, namespace, UID, resource version, creation and
	// deletion time, and nothing else.
	metav1.ObjectMeta
	// Marks are kontinue's own labels and annotations.
	identity.Marks
	// OwnerUID is the UID of the Job's controller owner reference, empty when it
	// has none. Labels can be copied onto another Job; this tells whose it is.
	OwnerUID types.UID
	// Suspended is spec.suspend.
	Suspended bool
	// Deadline is spec.activeDeadlineSeconds, in seconds; nil means none.
	Deadline *int64
	// Status is the Job's status as the API server sent it.
	Status batchv1.JobStatus
}

// Pod is what the cache keeps of a Pod. It is shared and must not be modified.
type Pod struct {
	// ObjectMeta holds name, namespace, UID, resource version, creation and
	// deletion time, and nothing else.
	metav1.ObjectMeta
	// JobUID is the UID of the controller that owns the Pod.
	JobUID types.UID
	// Object is the Pod without managedFields: complete once Whole, before that
	// with a spec reduced to node, restart policy and the containers' names and
	// images.
	Object *corev1.Pod
	// Whole says that nothing but managedFields was taken from Object. It is
	// true from the moment that the Pod is terminal or being deleted.
	Whole bool
}

// NewJob trims a Job as the cache does. It keeps no reference to job's spec or
// metadata.
func NewJob(job *batchv1.Job) *Job {
	out := &Job{
		ObjectMeta: trimMeta(&job.ObjectMeta),
		Marks:      identity.ReadMarks(job),
		Suspended:  job.Spec.Suspend != nil && *job.Spec.Suspend,
		Status:     job.Status,
	}
	if owner := metav1.GetControllerOfNoCopy(job); owner != nil {
		out.OwnerUID = uidOf(owner.UID, job.Namespace, owner.Name)
	}
	if deadline := job.Spec.ActiveDeadlineSeconds; deadline != nil {
		out.Deadline = new(*deadline)
	}
	return out
}

// NewPod trims a Pod as the cache does. It leaves pod alone but shares its
// parts.
func NewPod(pod *corev1.Pod) *Pod {
	object := *pod
	object.ManagedFields = nil
	out := &Pod{ObjectMeta: trimMeta(&pod.ObjectMeta), Object: &object}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		out.JobUID = uidOf(owner.UID, pod.Namespace, owner.Name)
	}
	out.Whole = pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if !out.Whole {
		trimPod(&object)
	}
	return out
}

func trimMeta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:              m.Name,
		Namespace:         m.Namespace,
		UID:               uidOf(m.UID, m.Namespace, m.Name),
		ResourceVersion:   m.ResourceVersion,
		CreationTimestamp: m.CreationTimestamp,
		DeletionTimestamp: m.DeletionTimestamp,
	}
}

// uidOf lets the name stand in for a missing UID. No API server leaves one out,
// but client-go's stock fake clientset does, and without this all Jobs of a
// user's unit test would be one.
func uidOf(uid types.UID, namespace, name string) types.UID {
	if uid == "" {
		return types.UID(namespace + "/" + name)
	}
	return uid
}

// trimPod drops what neither a running step nor its progress needs. The names,
// images and restart policies of the containers stay: they tell a native
// sidecar from an init container, and a missing image by its name.
func trimPod(pod *corev1.Pod) {
	pod.Annotations = nil
	pod.Labels = trimPodLabels(pod.Labels)
	pod.Spec = corev1.PodSpec{
		NodeName:       pod.Spec.NodeName,
		RestartPolicy:  pod.Spec.RestartPolicy,
		Containers:     trimContainers(pod.Spec.Containers),
		InitContainers: trimContainers(pod.Spec.InitContainers),
	}
}

func trimPodLabels(labels map[string]string) map[string]string {
	index, ok := labels[batchv1.JobCompletionIndexAnnotation]
	if !ok {
		return nil
	}
	return map[string]string{batchv1.JobCompletionIndexAnnotation: index}
}

func trimContainers(in []corev1.Container) []corev1.Container {
	out := slices.Clone(in)
	for i, c := range out {
		out[i] = corev1.Container{Name: c.Name, Image: c.Image, RestartPolicy: c.RestartPolicy}
	}
	return out
}

// transform is the informers' TransformFunc. It must be idempotent and must
// never fail: client-go applies it more than once to some objects, and drops
// the event of one that it fails on.
func transform(obj any) (any, error) {
	switch o := obj.(type) {
	case *batchv1.Job:
		return NewJob(o), nil
	case *corev1.Pod:
		return NewPod(o), nil
	default:
		return obj, nil
	}
}

const (
	byStep = "step"
	byJob  = "job"
)

func stepKey(execution types.UID, step string) string { return string(execution) + "/" + step }

var jobIndexers = cache.Indexers{byStep: func(obj any) ([]string, error) {
	if job, ok := obj.(*Job); ok {
		return []string{stepKey(job.ExecutionUID, job.Step)}, nil
	}
	return nil, nil
}}

var podIndexers = cache.Indexers{byJob: func(obj any) ([]string, error) {
	if pod, ok := obj.(*Pod); ok && pod.JobUID != "" {
		return []string{string(pod.JobUID)}, nil
	}
	return nil, nil
}}
