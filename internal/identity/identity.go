package identity

import (
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Prefix is the label and annotation prefix that belongs to kontinue.
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

// Annotations on a Job.
const (
	// AnnotationExecution holds the Execution's name, which may be longer than a label value.
	AnnotationExecution = Prefix + "execution"
	// AnnotationRun holds the run number of the step, decimal, 0 for the first run.
	AnnotationRun = Prefix + "run"
	// AnnotationAttempt holds the attempt of the Execution that created the Job, decimal, from 0.
	AnnotationAttempt = Prefix + "attempt"
	// AnnotationSpecHash holds the [SpecHash] of the spec as the user submitted it.
	AnnotationSpecHash = Prefix + "spec-hash"
	// AnnotationOutcome holds the recorded outcome of the step (compact JSON).
	AnnotationOutcome = Prefix + "outcome"
	// AnnotationTTL holds the user's ttlSecondsAfterFinished, decimal, which is
	// held back until the Execution has finished.
	AnnotationTTL = Prefix + "ttl-seconds-after-finished"
	// AnnotationDisplayName holds the step's display name.
	AnnotationDisplayName = Prefix + "display-name"
	// AnnotationDescription holds the step's description.
	AnnotationDescription = Prefix + "description"
	// AnnotationCanceled is "true" once the Job was asked to stop. It tells a
	// cancellation from a timeout: the Job controller writes DeadlineExceeded for both.
	AnnotationCanceled = Prefix + "canceled"
)

// Execution is the parent of a step, as identity sees it: the object that owns
// the step's Jobs.
type Execution struct {
	// Namespace and Name of the owning object. Jobs live in the same namespace:
	// the garbage collector deletes a dependent whose owner is in another one.
	Namespace, Name string
	// UID of the owning object. A deleted and recreated object is another Execution.
	UID types.UID
}

// Marks is what kontinue wrote on a Job, read back.
type Marks struct {
	// Group is the worker group.
	Group string
	// ExecutionUID is the UID of the Execution that the Job belongs to.
	ExecutionUID types.UID
	// Step is the step's name.
	Step string
	// Run is the run number of the step, from 0.
	Run int
	// Attempt is the attempt of the Execution that created the Job, from 0.
	Attempt int
	// SpecHash is the hash of the submitted spec; empty when the object has none.
	SpecHash string
	// Outcome is the recorded outcome; empty until the step has ended.
	Outcome string
	// TTLSeconds is the user's ttlSecondsAfterFinished; nil when the user set none.
	TTLSeconds *int32
	// Canceled tells that the Job was asked to stop.
	Canceled bool
}

// ReadMarks reads kontinue's marks from a Job. A missing or unreadable value is
// left at zero: the object may have been edited by hand, and a worker that cannot
// read a number must not fail for it.
func ReadMarks(o metav1.Object) Marks {
	labels, annotations := o.GetLabels(), o.GetAnnotations()
	m := Marks{
		Group:        labels[LabelWorkerGroup],
		ExecutionUID: types.UID(labels[LabelExecutionUID]),
		Step:         labels[LabelStep],
		Run:          number(annotations[AnnotationRun]),
		Attempt:      number(annotations[AnnotationAttempt]),
		SpecHash:     annotations[AnnotationSpecHash],
		Outcome:      annotations[AnnotationOutcome],
		Canceled:     annotations[AnnotationCanceled] == "true",
	}
	if ttl, err := strconv.ParseInt(annotations[AnnotationTTL], 10, 32); err == nil && ttl >= 0 {
		seconds := int32(ttl)
		m.TTLSeconds = &seconds
	}
	return m
}

func number(s string) int {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
