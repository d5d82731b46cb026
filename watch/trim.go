package watch

import (
	"hash/maphash"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/identity"
)

// trimmer reduces objects to what the cache keeps. A trimmer that is not nil interns
// strings that many objects have; only one goroutine may use it.
type trimmer struct {
	seed   maphash.Seed
	recent [256]string // by hash: the last one seen

	// detached makes copies of most of what is kept of an object: a list is decoded into
	// many small pieces of memory at once, and each that is kept would retain the page
	// of memory that it is in. Whole Pods are not copied, since they do not stay long.
	detached bool

	running corev1.Pod // reused by pack, since it is large
}

func newTrimmer(detached bool) *trimmer {
	return &trimmer{seed: maphash.MakeSeed(), detached: detached}
}

// intern returns s, in the memory of an equal string if a recent one was equal.
func (t *trimmer) intern(s string) string {
	if t == nil || s == "" {
		return s
	}
	slot := &t.recent[maphash.String(t.seed, s)%uint64(len(t.recent))]
	if *slot != s {
		*slot = strings.Clone(s)
	}
	return *slot
}

// clone returns s, as a copy if the trimmer detaches.
func (t *trimmer) clone(s string) string {
	if t == nil || !t.detached {
		return s
	}
	return strings.Clone(s)
}

func (t *trimmer) internUID(uid types.UID) types.UID { return types.UID(t.intern(string(uid))) }

func (t *trimmer) job(job *batchv1.Job) *Job {
	out := &Job{
		Meta:      t.meta(&job.ObjectMeta),
		Metadata:  identity.MetadataOf(job),
		Contents:  identity.Contents(&job.Spec.Template.Spec),
		Suspended: job.Spec.Suspend != nil && *job.Spec.Suspend,
		Status:    job.Status,

		BackoffLimit: or(job.Spec.BackoffLimit, defaultBackoffLimit), MaxFailedIndexes: or(job.Spec.MaxFailedIndexes, -1),
		PodFailurePolicy: job.Spec.PodFailurePolicy,
	}
	if by := job.Spec.ManagedBy; by != nil && *by != batchv1.JobControllerName {
		out.ManagedBy = t.intern(*by)
	}
	template := trimTemplate(&job.Spec.Template.Spec)
	if packed, err := template.Marshal(); err == nil {
		out.template = t.intern(string(packed))
	}
	out.Group, out.ExecutionUID = t.intern(out.Group), t.internUID(out.ExecutionUID)
	out.Step, out.SpecHash, out.Record = t.clone(out.Step), t.clone(out.SpecHash), t.clone(out.Record)
	out.TraceParent = t.clone(out.TraceParent)
	if t != nil && t.detached {
		t.detach(&out.Status)
		out.PodFailurePolicy = out.PodFailurePolicy.DeepCopy()
	}
	if owner := metav1.GetControllerOfNoCopy(job); owner != nil {
		out.OwnerUID = t.internUID(apicall.UIDOf(owner.UID, job.Namespace, owner.Name))
	}
	if deadline := job.Spec.ActiveDeadlineSeconds; deadline != nil {
		out.Deadline = new(*deadline)
	}
	return out
}

// defaultBackoffLimit is what an API server fills in.
const defaultBackoffLimit = 6

func or(p *int32, otherwise int32) int32 {
	if p == nil {
		return otherwise
	}
	return *p
}

// detach copies what the status refers to. Most reasons and messages are the same few.
func (t *trimmer) detach(status *batchv1.JobStatus) {
	*status = *status.DeepCopy()
	status.CompletedIndexes = strings.Clone(status.CompletedIndexes)
	for i := range status.Conditions {
		c := &status.Conditions[i]
		c.Type, c.Status = batchv1.JobConditionType(t.intern(string(c.Type))), corev1.ConditionStatus(t.intern(string(c.Status)))
		c.Reason, c.Message = t.intern(c.Reason), t.intern(c.Message)
	}
}

// pod trims a Pod. One that is gone is kept whole, since this is its last state.
func (t *trimmer) pod(pod *corev1.Pod, gone bool) *Pod {
	out := &Pod{Meta: t.meta(&pod.ObjectMeta), Phase: corev1.PodPhase(t.intern(string(pod.Status.Phase)))}
	if owner := metav1.GetControllerOfNoCopy(pod); owner != nil {
		out.JobUID = types.UID(t.clone(string(apicall.UIDOf(owner.UID, pod.Namespace, owner.Name))))
		if out.owner = owner.Name; strings.HasPrefix(out.Name, owner.Name) {
			out.owner = out.Name[:len(owner.Name)] // as the Job controller names them
		} else {
			out.owner = t.clone(owner.Name)
		}
	}
	out.Whole = gone || pod.DeletionTimestamp != nil || out.finished() || terminated(pod)
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
		Name:              m.Name, // newStub has detached this and the resource version
		Namespace:         t.intern(m.Namespace),
		UID:               types.UID(t.clone(string(apicall.UIDOf(m.UID, m.Namespace, m.Name)))),
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

// trimRunning copies to out what a running step and its progress need of a Pod, except
// for what is in a Meta. It keeps the names, images and restart policies of init
// containers, which distinguish a native sidecar from an init container. It keeps those
// of containers until the kubelet has reported on all of them.
func trimRunning(out, pod *corev1.Pod) {
	spec, status := out.Spec, out.Status // for the memory of their slices
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
		// A condition that is True is not needed, except for the one that announces a
		// disruption, and while a pod has not started the one that says when it was bound.
		bound := c.Type == corev1.PodScheduled && pod.Status.Phase == corev1.PodPending
		if c.Status != corev1.ConditionTrue || c.Type == corev1.DisruptionTarget || bound {
			out.Status.Conditions = append(out.Status.Conditions, c)
		}
	}
}

// terminated reports whether a container of the Pod has terminated: what the Pod's end is
// may be known from then on, before its phase.
func terminated(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(s corev1.ContainerStatus) bool { return s.State.Terminated != nil })
}

// trimTemplate returns what decides whether a pod of a Job can run again once its
// containers have terminated, and which of them were not added to it by the cluster.
// Most Jobs of a process have the same, so that it costs next to no memory.
func trimTemplate(spec *corev1.PodSpec) corev1.PodSpec {
	keep := func(in []corev1.Container) (out []corev1.Container) {
		for i := range in {
			out = append(out, corev1.Container{Name: in[i].Name, RestartPolicy: in[i].RestartPolicy, RestartPolicyRules: in[i].RestartPolicyRules})
		}
		return out
	}
	return corev1.PodSpec{
		RestartPolicy: spec.RestartPolicy, ActiveDeadlineSeconds: spec.ActiveDeadlineSeconds,
		TerminationGracePeriodSeconds: spec.TerminationGracePeriodSeconds,
		InitContainers:                keep(spec.InitContainers), Containers: keep(spec.Containers),
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
