package jobs

import (
	"context"
	"maps"
	"strconv"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/podtemplate"
	"github.com/kontinue/kontinue/internal/record"
)

// Request describes the Job of one run of a step.
type Request struct {
	// Execution is the parent; the Job is created in its namespace.
	Execution identity.Execution
	// Owner refers to the Execution's object. The Job carries it as its controller
	// owner reference; BlockOwnerDeletion stays as it is here.
	Owner metav1.OwnerReference
	// Group is the worker group, Step the step's name; both are label values.
	Group, Step string
	// Run is the run number of the step and Attempt the Execution's attempt, both from 0.
	Run, Attempt int
	// DisplayName and Description are for people; they become annotations.
	DisplayName, Description string
	// TraceParent is the trace context of the step, a W3C traceparent; it becomes an
	// annotation. Empty means none.
	TraceParent string
	// Spec is the Job's spec as the user gave it. Build never changes it. Its
	// activeDeadlineSeconds is at most 2147483647 (68 years): the Job controller
	// overflows on very long ones, and fails the Job at once.
	Spec batchv1.JobSpec
	// Submitted is what the user gave where Spec was made from it, such as the spec of a
	// pod. Its hash is on the Job, so that a later version of this library may make
	// another Spec of the same. Default: Spec.
	Submitted any
	// Hash, if set, stands for the hash of what was submitted. A replay has only that.
	Hash string
	// Timeout becomes spec.activeDeadlineSeconds, rounded up to whole seconds, when
	// that is shorter than the user's own. The cluster measures it from
	// status.startTime, which has whole seconds: it may end up to one second early.
	// Zero means none. The longest is 2147483647 seconds, as for the spec's own.
	Timeout time.Duration
	// PodTemplate, if set, is the base over which the template of Spec is merged. It is not
	// part of what was submitted: neither of its hash nor of a Drift.
	PodTemplate *corev1.PodTemplateSpec
	// SecretData is the data of the Secret that the Job owns: see [Client.EnsureSecret].
	// Default: the Job has no Secret.
	SecretData map[string][]byte
	// SecretVolume is the name of the volume of the pods that gets the name of the Secret.
	SecretVolume string
	// Queue is the name of a queue, which the Job waits for: see [identity.LabelQueue].
	// The Job is created suspended, so that it does not start before the queue admits it,
	// also where the queue's webhook is not called. Empty means none.
	Queue string
	// Labels and Annotations are added to the Job, not to its pods.
	Labels, Annotations map[string]string
	// Admit, if set, is called with the name of the Job before its first create is sent.
	// Nothing is created if it returns an error.
	Admit func(ctx context.Context, r *Request, name string) error
	// Failed reports whether a record is one of a failed step, for the policy. If it is
	// nil, the step failed if the Job did.
	Failed func(record.Record) bool
	// Retry says after which failures another run follows in the same attempt. Nil means
	// none.
	Retry *Retry
}

// Build validates the request and returns the Job to create. It sends nothing,
// and shares no memory with the request.
//
// The Job's ttlSecondsAfterFinished is held back in an annotation: the Job must
// not vanish before its result was read. An unset restartPolicy becomes Never,
// since OnFailure deletes a failed pod and its logs with it. An unset
// terminationMessagePolicy becomes FallbackToLogsOnError, which puts the end of a
// failed container's log into its status.
func (r *Request) Build() (*batchv1.Job, error) {
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r.build()
}

func (r *Request) name() string { return identity.JobName(r.Execution, r.Step, r.Run) }

// build is Build of a request that is valid.
func (r *Request) build() (*batchv1.Job, error) {
	template, err := r.template()
	if err != nil {
		return nil, err
	}
	owner := *r.Owner.DeepCopy()
	owner.Controller = new(true)
	job := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: batchv1.SchemeGroupVersion.String(), Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace:       r.Execution.Namespace,
			Name:            r.name(),
			Labels:          r.merge(r.Labels),
			Annotations:     r.annotations(),
			OwnerReferences: []metav1.OwnerReference{owner},
		},
		Spec: *r.Spec.DeepCopy(),
	}
	spec := &job.Spec
	spec.Template = *template
	if r.Queue != "" {
		job.Labels[identity.LabelQueue] = r.Queue
		spec.Suspend = new(true)
	}
	spec.TTLSecondsAfterFinished = nil
	spec.ActiveDeadlineSeconds = deadline(spec.ActiveDeadlineSeconds, r.Timeout)
	spec.Template.Labels = r.merge(spec.Template.Labels)
	// Once the Job has started its template cannot be changed: a Job that was stripped or edited is
	// still understood.
	if spec.Template.Annotations == nil {
		spec.Template.Annotations = map[string]string{}
	}
	for _, key := range identity.TemplateAnnotations() {
		spec.Template.Annotations[key] = job.Annotations[key]
	}
	complete(&spec.Template.Spec)
	return job, nil
}

// template returns the pod template with what its base has, and with the name of the Secret.
func (r *Request) template() (*corev1.PodTemplateSpec, error) {
	template := r.Spec.Template.DeepCopy()
	if r.PodTemplate != nil {
		merged, err := podtemplate.Merge(r.PodTemplate, template)
		if err != nil {
			return nil, err
		}
		template = merged
	}
	for i := range template.Spec.Volumes {
		if v := &template.Spec.Volumes[i]; len(r.SecretData) > 0 && v.Secret != nil && v.Name == r.SecretVolume {
			v.Secret.SecretName = identity.SecretName(r.name())
		}
	}
	return template, nil
}

// complete sets what was not submitted and what a wait relies on.
func complete(pod *corev1.PodSpec) {
	if pod.RestartPolicy == "" {
		pod.RestartPolicy = corev1.RestartPolicyNever
	}
	for _, list := range [][]corev1.Container{pod.InitContainers, pod.Containers} {
		for i := range list {
			if list[i].TerminationMessagePolicy == "" {
				list[i].TerminationMessagePolicy = corev1.TerminationMessageFallbackToLogsOnError
			}
		}
	}
}

// merge adds the labels of the step; they win, and Validate has refused a user's
// label that would clash.
func (r *Request) merge(user map[string]string) map[string]string {
	all := maps.Clone(user)
	if all == nil {
		all = map[string]string{}
	}
	maps.Copy(all, identity.Labels(r.Group, r.Execution.UID, r.Step))
	return all
}

func (r *Request) annotations() map[string]string {
	all := maps.Clone(r.Annotations)
	if all == nil {
		all = map[string]string{}
	}
	all[identity.AnnotationExecution] = r.Execution.Name
	all[identity.AnnotationRun] = strconv.Itoa(r.Run)
	all[identity.AnnotationAttempt] = strconv.Itoa(r.Attempt)
	all[identity.AnnotationSpecHash] = r.SpecHash()
	if ttl := r.Spec.TTLSecondsAfterFinished; ttl != nil {
		all[identity.AnnotationTTL] = strconv.Itoa(int(*ttl))
	}
	if r.DisplayName != "" {
		all[identity.AnnotationDisplayName] = r.DisplayName
	}
	if r.Description != "" {
		all[identity.AnnotationDescription] = r.Description
	}
	if r.TraceParent != "" {
		all[identity.AnnotationTraceParent] = r.TraceParent
	}
	return all
}

// SpecHash returns the hash of what was submitted, which is on the Job.
func (r *Request) SpecHash() string {
	switch {
	case r.Hash != "":
		return r.Hash
	case r.Submitted != nil:
		return identity.Hash(r.Submitted)
	default:
		return identity.SpecHash(&r.Spec)
	}
}

// madeFrom reports whether a Job with that hash was made from what r submits. Before
// Submitted, the hash of every Job was that of its spec.
func (r *Request) madeFrom(hash string) bool {
	return hash == r.SpecHash() || r.Submitted != nil && hash == identity.SpecHash(&r.Spec)
}

// deadline is the shorter of the user's and the timeout; nil is none.
func deadline(user *int64, timeout time.Duration) *int64 {
	if timeout <= 0 {
		return user
	}
	seconds := int64(timeout / time.Second)
	if timeout%time.Second > 0 {
		seconds++
	}
	if user != nil && *user < seconds {
		return user
	}
	return &seconds
}
