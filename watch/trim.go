package watch

import (
	"hash/maphash"
	"strings"

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

	// apart has most of what is kept of an object copied: a list is decoded into many
	// small pieces of memory at once, and whatever is kept of one would keep the
	// page that it lies in. Whole Pods are not, since they do not stay for long.
	apart bool

	running corev1.Pod // of pack: the last one, which is large
}

func newTrimmer(apart bool) *trimmer { return &trimmer{seed: maphash.MakeSeed(), apart: apart} }

func (t *trimmer) share(s string) string {
	if t == nil || s == "" {
		return s
	}
	slot := &t.recent[maphash.String(t.seed, s)%uint64(len(t.recent))]
	if *slot != s {
		*slot = strings.Clone(s)
	}
	return *slot
}

// own is s, in memory of its own if it is to be.
func (t *trimmer) own(s string) string {
	if t == nil || !t.apart {
		return s
	}
	return strings.Clone(s)
}

func (t *trimmer) shareUID(uid types.UID) types.UID { return types.UID(t.share(string(uid))) }

func (t *trimmer) job(job *batchv1.Job) *Job {
	out := &Job{
		Meta:      t.meta(&job.ObjectMeta),
		Metadata:     identity.MetadataOf(job),
		Suspended: job.Spec.Suspend != nil && *job.Spec.Suspend,
		Status:    job.Status,
	}
	out.Group, out.ExecutionUID = t.share(out.Group), t.shareUID(out.ExecutionUID)
	out.Step, out.SpecHash, out.Record = t.own(out.Step), t.own(out.SpecHash), t.own(out.Record)
	if t != nil && t.apart {
		t.takeApart(&out.Status)
	}
	if owner := metav1.GetControllerOfNoCopy(job); owner != nil {
		out.OwnerUID = t.shareUID(uidOf(owner.UID, job.Namespace, owner.Name))
	}
	if deadline := job.Spec.ActiveDeadlineSeconds; deadline != nil {
		out.Deadline = new(*deadline)
	}
	return out
}

// takeApart copies what the status refers to. Reasons and messages are mostly the
// same ones.
func (t *trimmer) takeApart(status *batchv1.JobStatus) {
	*status = *status.DeepCopy()
	status.CompletedIndexes = strings.Clone(status.CompletedIndexes)
	for i := range status.Conditions {
		c := &status.Conditions[i]
		c.Type, c.Status = batchv1.JobConditionType(t.share(string(c.Type))), corev1.ConditionStatus(t.share(string(c.Status)))
		c.Reason, c.Message = t.share(c.Reason), t.share(c.Message)
	}
}

// pod trims a Pod. One that is gone is left whole: nothing more will come of it.
func (t *trimmer) pod(pod *corev1.Pod, gone bool) *Pod {
	out := &Pod{Meta: t.meta(&pod.ObjectMeta), Phase: corev1.PodPhase(t.share(string(pod.Status.Phase)))}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		out.JobUID = types.UID(t.own(string(uidOf(owner.UID, pod.Namespace, owner.Name))))
		if out.owner = owner.Name; strings.HasPrefix(out.Name, owner.Name) {
			out.owner = out.Name[:len(owner.Name)] // as the Job controller names them
		} else {
			out.owner = t.own(owner.Name)
		}
	}
	out.Whole = gone || pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	if !out.Whole {
		if packed, err := t.pack(pod); err == nil {
			out.packed = packed
			return out
		}
	}
	out.object = new(corev1.Pod)
	*out.object = *pod
	out.object.ManagedFields = nil
	return out
}

func (t *trimmer) meta(m *metav1.ObjectMeta) Meta {
	return Meta{
		Name:              m.Name, // of these two the parcel has seen to
		Namespace:         t.share(m.Namespace),
		UID:               types.UID(t.own(string(uidOf(m.UID, m.Namespace, m.Name)))),
		ResourceVersion:   m.ResourceVersion,
		CreationTimestamp: m.CreationTimestamp,
		DeletionTimestamp: m.DeletionTimestamp.DeepCopy(),
	}
}

// pack encodes what is kept of a running Pod.
func (t *trimmer) pack(pod *corev1.Pod) ([]byte, error) {
	var running *corev1.Pod
	if t == nil {
		running = new(corev1.Pod)
	} else {
		running = &t.running
	}
	trimRunning(running, pod)
	return running.Marshal()
}

// trimRunning leaves in out what a running step and its progress need of a Pod,
// besides what is in a Meta. The names, images and restart policies of init containers stay:
// they tell a native sidecar from an init container. Those of containers stay until
// the kubelet has reported on all.
func trimRunning(out, pod *corev1.Pod) {
	spec, status := out.Spec, out.Status // whose slices serve again
	*out = corev1.Pod{
		Spec: corev1.PodSpec{
			NodeName: pod.Spec.NodeName, RestartPolicy: pod.Spec.RestartPolicy,
			InitContainers: trimContainers(spec.InitContainers[:0], pod.Spec.InitContainers),
		},
		Status: corev1.PodStatus{
			Phase: pod.Status.Phase, Reason: pod.Status.Reason, Message: pod.Status.Message, StartTime: pod.Status.StartTime,
			InitContainerStatuses: trimStatuses(status.InitContainerStatuses[:0], pod.Status.InitContainerStatuses),
			ContainerStatuses:     trimStatuses(status.ContainerStatuses[:0], pod.Status.ContainerStatuses),
		},
	}
	if index, ok := pod.Labels[batchv1.JobCompletionIndexAnnotation]; ok {
		out.Labels = map[string]string{batchv1.JobCompletionIndexAnnotation: index}
	}
	if len(pod.Status.ContainerStatuses) < len(pod.Spec.Containers) {
		out.Spec.Containers = trimContainers(spec.Containers[:0], pod.Spec.Containers)
	}
	for _, c := range pod.Status.Conditions {
		// All is well where a condition is True, but for the one that says that the
		// pod is about to be evicted.
		if c.Status != corev1.ConditionTrue || c.Type == corev1.DisruptionTarget {
			out.Status.Conditions = append(out.Status.Conditions, c)
		}
	}
}

func trimContainers(out, in []corev1.Container) []corev1.Container {
	for i := range in {
		c := &in[i]
		out = append(out, corev1.Container{Name: c.Name, Image: c.Image, RestartPolicy: c.RestartPolicy})
	}
	return out
}

func trimStatuses(out, in []corev1.ContainerStatus) []corev1.ContainerStatus {
	for i := range in {
		s := &in[i]
		out = append(out, corev1.ContainerStatus{
			Name: s.Name, Image: s.Image, State: s.State, LastTerminationState: s.LastTerminationState,
			Ready: s.Ready, RestartCount: s.RestartCount,
		})
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
