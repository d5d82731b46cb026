package kontinue

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/step"
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
	// Until says how much of a pod's end RunPod and RunScript wait for. Default:
	// [UntilContainers]. RunJob always waits for the Job's condition, and takes
	// [UntilPod] for an [ErrInvalid].
	Until Until
}

// Until says how much of its pod's end a step waits for. The stages follow each other: on
// a real node the phase is final about a second after the last container has terminated,
// and the Job has its condition about another second later.
//
// Wait for more than the containers if the next step needs what the pod still holds: a
// ReadWriteOncePod volume, a host port, the last place in a quota of pods. The next step's
// pod waits for that by itself, so that is a matter of time and not of correctness.
type Until int

const (
	// UntilContainers means that a success is returned when the containers that the step submitted
	// have terminated with exit code 0, and a failure when the phase of the pod is final,
	// since the kubelet withholds its reason (an eviction) until then. Containers that the
	// cluster has injected do not count; one that runs on is stopped by a deadline that
	// the step's record sets on the Job, 30 seconds or the pod's grace period later.
	//
	// A step that the cluster may still end otherwise is waited for as by [UntilJob]: the
	// Job or its pod is being deleted, canceled or suspended, is past its deadline or
	// managed by another controller (managedBy), has a native sidecar of the step's own,
	// a podFailurePolicy or a backoffLimit, or a container may be restarted.
	UntilContainers = Until(step.UntilContainers)
	// UntilPod means that the phase of the pod is final, in the same cases.
	UntilPod = Until(step.UntilPod)
	// UntilJob means that the Job has its condition Complete or Failed.
	UntilJob = Until(step.UntilJob)
)

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
