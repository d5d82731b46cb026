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

	// apart has all that is kept of an object copied. A list is decoded into one
	// large piece of memory, and whatever is kept of it would keep a page of it each.
	apart bool
}

func newTrimmer() *trimmer { return &trimmer{seed: maphash.MakeSeed()} }

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
		ObjectMeta: t.meta(&job.ObjectMeta),
		Marks:      identity.ReadMarks(job),
		Suspended:  job.Spec.Suspend != nil && *job.Spec.Suspend,
		Status:     job.Status,
	}
	out.Group, out.ExecutionUID = t.share(out.Group), t.shareUID(out.ExecutionUID)
	out.Step, out.SpecHash, out.Outcome = t.own(out.Step), t.own(out.SpecHash), t.own(out.Outcome)
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
	out := &Pod{ObjectMeta: t.meta(&pod.ObjectMeta)}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		out.JobUID, out.owner = types.UID(t.own(string(uidOf(owner.UID, pod.Namespace, owner.Name)))), t.own(owner.Name)
	}
	out.Whole = gone || pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	object := pod
	if !t.mayChange() {
		object = new(corev1.Pod)
		*object = *pod
	}
	if out.Whole {
		object.ManagedFields = nil
	} else {
		t.trimRunning(object, &out.ObjectMeta)
	}
	out.Object = object
	return out
}

func (t *trimmer) meta(m *metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name:              m.Name, // the transform has seen to these two
		Namespace:         t.share(m.Namespace),
		UID:               types.UID(t.own(string(uidOf(m.UID, m.Namespace, m.Name)))),
		ResourceVersion:   m.ResourceVersion,
		CreationTimestamp: m.CreationTimestamp,
		DeletionTimestamp: m.DeletionTimestamp.DeepCopy(),
	}
}

// mayChange reports that an object is nobody else's, so that a copy can be saved.
func (t *trimmer) mayChange() bool { return t != nil && !t.apart }

// trimRunning leaves what a running step and its progress need of a Pod. The
// names, images and restart policies of init containers stay: they tell a native
// sidecar from an init container. Those of containers stay until the kubelet has
// reported on all. It changes pod, and what pod refers to if it may.
func (t *trimmer) trimRunning(pod *corev1.Pod, meta *metav1.ObjectMeta) {
	index, indexed := pod.Labels[batchv1.JobCompletionIndexAnnotation]
	pod.ObjectMeta = *meta
	if indexed {
		pod.Labels = map[string]string{batchv1.JobCompletionIndexAnnotation: t.own(index)}
	}
	containers := pod.Spec.Containers
	pod.Spec = corev1.PodSpec{
		NodeName:       t.share(pod.Spec.NodeName),
		RestartPolicy:  corev1.RestartPolicy(t.share(string(pod.Spec.RestartPolicy))),
		InitContainers: t.containers(pod.Spec.InitContainers),
	}
	if len(pod.Status.ContainerStatuses) < len(containers) {
		pod.Spec.Containers = t.containers(containers)
	}
	conditions := pod.Status.Conditions
	pod.Status = corev1.PodStatus{
		Phase:  corev1.PodPhase(t.share(string(pod.Status.Phase))),
		Reason: t.own(pod.Status.Reason), Message: t.own(pod.Status.Message), StartTime: pod.Status.StartTime.DeepCopy(),
		InitContainerStatuses: t.statuses(pod.Status.InitContainerStatuses),
		ContainerStatuses:     t.statuses(pod.Status.ContainerStatuses),
	}
	for _, c := range conditions {
		// All is well where a condition is True, but for the one that says that the
		// pod is about to be evicted.
		if c.Status != corev1.ConditionTrue || c.Type == corev1.DisruptionTarget {
			pod.Status.Conditions = append(pod.Status.Conditions, c)
		}
	}
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
	out := in
	if !t.mayChange() {
		out = make([]corev1.ContainerStatus, len(in))
	}
	for i := range in {
		s := &in[i]
		state, last := s.State, s.LastTerminationState
		if t != nil && t.apart {
			state, last = *state.DeepCopy(), *last.DeepCopy()
		}
		out[i] = corev1.ContainerStatus{
			Name: t.share(s.Name), Image: t.share(s.Image), State: state, LastTerminationState: last,
			Ready: s.Ready, RestartCount: s.RestartCount,
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
