package watch

import (
	"hash/maphash"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/identity"
)

// trimmer makes what is kept of the objects. One that is not nil lets equal
// strings share their memory where many objects have them; it is then used by
// one goroutine.
type trimmer struct {
	seed   maphash.Seed
	recent [256]string // by hash: the last one seen
}

func newTrimmer() *trimmer { return &trimmer{seed: maphash.MakeSeed()} }

func (t *trimmer) share(s string) string {
	if t == nil || s == "" {
		return s
	}
	slot := &t.recent[maphash.String(t.seed, s)%uint64(len(t.recent))]
	if *slot != s {
		*slot = s
	}
	return *slot
}

func (t *trimmer) shareUID(uid types.UID) types.UID { return types.UID(t.share(string(uid))) }

func (t *trimmer) job(job *batchv1.Job) *Job {
	out := &Job{
		ObjectMeta: t.meta(&job.ObjectMeta),
		Marks:      identity.ReadMarks(job),
		Suspended:  job.Spec.Suspend != nil && *job.Spec.Suspend,
		Status:     job.Status,
	}
	out.Group, out.ExecutionUID = t.share(out.Group), t.shareUID(out.ExecutionUID)
	if owner := metav1.GetControllerOfNoCopy(job); owner != nil {
		out.OwnerUID = t.shareUID(uidOf(owner.UID, job.Namespace, owner.Name))
	}
	if deadline := job.Spec.ActiveDeadlineSeconds; deadline != nil {
		out.Deadline = new(*deadline)
	}
	return out
}

// pod trims a Pod. One that is gone is left whole: nothing more will come of it.
func (t *trimmer) pod(pod *corev1.Pod, gone bool) *Pod {
	out := &Pod{ObjectMeta: t.meta(&pod.ObjectMeta)}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		out.JobUID = uidOf(owner.UID, pod.Namespace, owner.Name)
	}
	out.Whole = gone || pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if out.Whole {
		object := *pod
		object.ManagedFields = nil
		out.Object = &object
	} else {
		out.Object = t.runningPod(pod, &out.ObjectMeta)
	}
	return out
}

func (t *trimmer) meta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:              m.Name,
		Namespace:         t.share(m.Namespace),
		UID:               uidOf(m.UID, m.Namespace, m.Name),
		ResourceVersion:   m.ResourceVersion,
		CreationTimestamp: m.CreationTimestamp,
		DeletionTimestamp: m.DeletionTimestamp,
	}
}

// runningPod is what a running step and its progress need of a Pod. The names,
// images and restart policies of init containers stay: they tell a native
// sidecar from an init container. Those of containers stay until the kubelet has
// reported on all.
func (t *trimmer) runningPod(pod *corev1.Pod, meta *metav1.ObjectMeta) *corev1.Pod {
	out := &corev1.Pod{
		ObjectMeta: *meta,
		Spec: corev1.PodSpec{
			NodeName:       t.share(pod.Spec.NodeName),
			RestartPolicy:  pod.Spec.RestartPolicy,
			InitContainers: t.containers(pod.Spec.InitContainers),
		},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message, StartTime: pod.Status.StartTime,
			InitContainerStatuses: t.statuses(pod.Status.InitContainerStatuses),
			ContainerStatuses:     t.statuses(pod.Status.ContainerStatuses),
		},
	}
	if index, ok := pod.Labels[batchv1.JobCompletionIndexAnnotation]; ok {
		out.Labels = map[string]string{batchv1.JobCompletionIndexAnnotation: index}
	}
	if len(pod.Status.ContainerStatuses) < len(pod.Spec.Containers) {
		out.Spec.Containers = t.containers(pod.Spec.Containers)
	}
	for _, c := range pod.Status.Conditions {
		// All is well where a condition is True, but for the one that says that the
		// pod is about to be evicted.
		if c.Status != corev1.ConditionTrue || c.Type == corev1.DisruptionTarget {
			out.Status.Conditions = append(out.Status.Conditions, c)
		}
	}
	return out
}

func (t *trimmer) containers(in []corev1.Container) []corev1.Container {
	if len(in) == 0 {
		return nil
	}
	out := make([]corev1.Container, len(in))
	for i := range in {
		c := &in[i]
		out[i] = corev1.Container{Name: t.share(c.Name), Image: t.share(c.Image), RestartPolicy: c.RestartPolicy}
	}
	return out
}

func (t *trimmer) statuses(in []corev1.ContainerStatus) []corev1.ContainerStatus {
	if len(in) == 0 {
		return nil
	}
	out := make([]corev1.ContainerStatus, len(in))
	for i := range in {
		s := &in[i]
		out[i] = corev1.ContainerStatus{
			Name: t.share(s.Name), Image: t.share(s.Image), State: s.State, LastTerminationState: s.LastTerminationState,
			Ready: s.Ready, RestartCount: s.RestartCount, Started: s.Started,
		}
	}
	return out
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

func ownerName(pod *corev1.Pod) string {
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		return owner.Name
	}
	return ""
}
