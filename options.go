package kontinue

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// StepOptions are common to every kind of step.
type StepOptions struct {
	// Name identifies the step within its Execution, across restarts and
	// retries. It must be a valid label value of at most 63 characters, used
	// once in an attempt. Default: the step's ordinal in the function,
	// "step-1", "step-2" and so on; steps that run at the same time need names.
	// A step that returned an error gives name and ordinal back, so that calling
	// it again resumes what there is of it. An unnamed step that follows one that
	// returned an error is therefore taken for the same step: name the steps of a
	// function that continues after an error.
	Name string
	// DisplayName is the step's title for people. It becomes an annotation.
	DisplayName string
	// Description says what the step is for. It becomes an annotation.
	Description string
	// Timeout bounds the Job's run, from its start (status.startTime) and not
	// from the call, so a restart of the worker does not prolong it. It is
	// rounded up to whole seconds and enforced by the cluster, as the Job's
	// activeDeadlineSeconds: at its end the Job's pods are deleted and the result
	// is a failure that is an [ErrDeadlineExceeded]; so is the error of a RunPod
	// for which no pod had been created by then. A shorter activeDeadlineSeconds
	// in the spec stands, and so does the Timeout of the call that created the Job
	// when another one resumes it. Default: 0, none.
	Timeout time.Duration
}

// JobOptions describe a Job for [RunJob].
type JobOptions struct {
	StepOptions
	// Spec is the whole Job spec. The restart policy defaults to Never, and
	// ttlSecondsAfterFinished is held back until the Execution has finished, so
	// that no Job is removed before its result was read. Where a container has no
	// terminationMessagePolicy it becomes FallbackToLogsOnError: when it fails, up to
	// 80 lines or 2 KiB of the end of its log are in the pod's status and in the result
	// that is recorded on the Job, where everybody who may get Jobs can read them. With
	// the policy File they are not.
	Spec batchv1.JobSpec
	// ExtraAnnotations are added to the Job.
	ExtraAnnotations map[string]string
	// ExtraLabels are added to the Job. Kontinue's own cannot be overridden.
	ExtraLabels map[string]string
}

// PodOptions describe a single pod for [RunPod].
type PodOptions struct {
	StepOptions
	// Spec is the pod's spec. Its RestartPolicy becomes Never, and its containers'
	// terminationMessagePolicy is as in [JobOptions].
	Spec corev1.PodSpec
	// ExtraAnnotations are added to the Job.
	ExtraAnnotations map[string]string
	// ExtraLabels are added to the Job. Kontinue's own cannot be overridden.
	ExtraLabels map[string]string
}

// ScriptOptions describe a command for [RunScript].
type ScriptOptions struct {
	StepOptions
	// Image is the container image.
	Image string
	// Command is the script. It reaches the shell unchanged. When it fails, the end of
	// its log is recorded on the Job, as in [JobOptions].
	Command string
	// Shell is the program that takes the script as its last argument. Default:
	// /bin/sh -c.
	Shell []string
	// ExtraAnnotations are added to the Job.
	ExtraAnnotations map[string]string
	// ExtraLabels are added to the Job. Kontinue's own cannot be overridden.
	ExtraLabels map[string]string
}

// LogOptions say which logs to read. The zero value, and nil, mean the last
// 100 lines of the first container that the step submitted.
type LogOptions struct {
	// TailLines is the number of lines from the end. Default: 100.
	TailLines int64
	// Container names the container. Default: the first of the step's spec, also if
	// the cluster has put others before it, as a mesh does.
	Container string
}
