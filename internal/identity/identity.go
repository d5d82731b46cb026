package identity

import (
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Prefix is kontinue's prefix for labels and annotations.
const Prefix = "kontinue.cloud/"

// Labels on every Job and on its pod template. The first is one of the
// recommended labels of Kubernetes, the others are kontinue's own.
const (
	// LabelManagedBy marks the object as made by kontinue; its value is [ManagedBy].
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of [LabelManagedBy].
	ManagedBy = "kontinue"
	// LabelWorkerGroup holds the worker group; a worker watches only its own group.
	LabelWorkerGroup = Prefix + "worker-group"
	// LabelExecutionUID holds the UID of the Execution's object.
	LabelExecutionUID = Prefix + "execution-uid"
	// LabelStep holds the step's name.
	LabelStep = Prefix + "step"
)

// LabelRecorded is on a Job whose step has its record, and on no pod. The Job watch
// selects on its absence, so that a process holds the Jobs that are still needed.
const LabelRecorded = Prefix + "recorded"

// Annotations on a Job. [AnnotationAttempt] and [AnnotationSpecHash] are on its pod
// template as well, which cannot be changed once the Job has started.
const (
	// AnnotationExecution holds the Execution's name, which may be longer than a label value.
	AnnotationExecution = Prefix + "execution"
	// AnnotationRun holds the run number of the step, decimal, 0 for the first run. It
	// is for people: programs take the number from the Job's name, with [RunOf].
	AnnotationRun = Prefix + "run"
	// AnnotationAttempt holds the attempt of the Execution that created the Job, decimal, from 0.
	AnnotationAttempt = Prefix + "attempt"
	// AnnotationSpecHash holds the [SpecHash] of the spec as the user submitted it.
	AnnotationSpecHash = Prefix + "spec-hash"
	// AnnotationRecord holds the record of how the step ended (compact JSON).
	AnnotationRecord = Prefix + "outcome"
	// AnnotationTTL holds the user's ttlSecondsAfterFinished, decimal, which is
	// held back until the Execution has finished.
	AnnotationTTL = Prefix + "ttl-seconds-after-finished"
	// AnnotationDisplayName holds the step's display name.
	AnnotationDisplayName = Prefix + "display-name"
	// AnnotationDescription holds the step's description.
	AnnotationDescription = Prefix + "description"
	// AnnotationCanceled is "true" once the Job was asked to stop. It distinguishes a
	// cancellation from a timeout: the Job controller writes DeadlineExceeded for both. It is
	// [CanceledAfterEnd] if the Job had ended before.
	AnnotationCanceled = Prefix + "canceled"
	// AnnotationGaveUp holds why the Job was stopped before its pods had started (compact
	// JSON, see package record).
	AnnotationGaveUp = Prefix + "gave-up"
	// AnnotationTraceParent holds the trace context of the step that created the Job, as a
	// W3C traceparent. It is no part of what was submitted.
	AnnotationTraceParent = Prefix + "traceparent"
)

// LabelQueue is the label by which Kueue finds the Jobs of a LocalQueue. It is not of
// kontinue: users may set it themselves.
const LabelQueue = "kueue.x-k8s.io/queue-name"

// CanceledAfterEnd is the value of [AnnotationCanceled] on a Job that had ended when its step
// was canceled: its result stands, and no other run of the step follows it.
const CanceledAfterEnd = "ended"

// TemplateAnnotations returns the keys of the annotations that the pod template
// carries as well.
func TemplateAnnotations() []string { return []string{AnnotationAttempt, AnnotationSpecHash} }

// Execution is the parent of a step, as identity sees it: the object that owns
// the step's Jobs.
type Execution struct {
	// Namespace and Name of the owning object. Jobs live in the same namespace:
	// the garbage collector deletes a dependent whose owner is in another one.
	Namespace, Name string
	// UID of the owning object. A deleted and recreated object is another Execution.
	UID types.UID
}

// Metadata is what kontinue wrote on a Job, read back.
type Metadata struct {
	// Group is the worker group.
	Group string
	// ExecutionUID is the UID of the Execution that the Job belongs to.
	ExecutionUID types.UID
	// Step is the step's name.
	Step string
	// Attempt is the attempt of the Execution that created the Job, from 0.
	Attempt int
	// SpecHash is the hash of the submitted spec; empty when the object has none.
	SpecHash string
	// Record is the record of how the step ended; empty until it has one.
	Record string
	// RecordedLabel reports whether the Job carries [LabelRecorded].
	RecordedLabel bool
	// Queued reports whether the Job carries [LabelQueue].
	Queued bool
	// TTLSeconds is the user's ttlSecondsAfterFinished; nil when the user set none.
	TTLSeconds *int32
	// Canceled reports whether the Job was asked to stop.
	Canceled bool
	// CancelRequested reports whether the step was canceled, before the Job's end or after it.
	CancelRequested bool
	// GaveUp is why the Job was stopped since its pods did not start; empty for any other.
	GaveUp string
	// TraceParent is the W3C traceparent of the step that created the Job; empty without one.
	TraceParent string
}

// Stopped reports whether a worker has stopped the Job.
func (m Metadata) Stopped() bool { return m.Canceled || m.GaveUp != "" }

// MetadataOf reads kontinue's metadata from a Job. If the pod template has a value, too,
// it takes precedence, since the Job's own may have been edited or removed. A missing or
// unreadable value is left at zero.
func MetadataOf(job *batchv1.Job) Metadata {
	labels, annotations, template := job.Labels, job.Annotations, &job.Spec.Template
	m := Metadata{
		Group:        labels[LabelWorkerGroup],
		ExecutionUID: types.UID(first(LabelExecutionUID, template.Labels, labels)),
		Step:         first(LabelStep, template.Labels, labels),
		Attempt:      number(first(AnnotationAttempt, template.Annotations, annotations)),
		SpecHash:     first(AnnotationSpecHash, template.Annotations, annotations),
		Record:       annotations[AnnotationRecord],
		Canceled:     annotations[AnnotationCanceled] == "true",
		GaveUp:       annotations[AnnotationGaveUp],
		Queued:       labels[LabelQueue] != "",
		TraceParent:  TraceParent(annotations[AnnotationTraceParent]),
	}
	m.CancelRequested = m.Canceled || annotations[AnnotationCanceled] == CanceledAfterEnd
	_, m.RecordedLabel = labels[LabelRecorded]
	if ttl, err := strconv.ParseInt(annotations[AnnotationTTL], 10, 32); err == nil && ttl >= 0 {
		seconds := int32(ttl)
		m.TTLSeconds = &seconds
	}
	return m
}

// first returns the value of the first map that has the key.
func first(key string, maps ...map[string]string) string {
	for _, m := range maps {
		if v, ok := m[key]; ok {
			return v
		}
	}
	return ""
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
