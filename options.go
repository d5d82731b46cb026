package kontinue

import (
	"errors"
	"fmt"
	"io"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/logs"
)

// StepOptions are common to every kind of step.
type StepOptions struct {
	// Name identifies the step within its Execution, across restarts and
	// retries. It must be a valid label value of at most 63 characters, used
	// once in an attempt. Default: the step's ordinal in the function,
	// "step-1", "step-2" and so on, names that are an [ErrInvalid] if they are
	// given; steps that run at the same time need names.
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
	// StartLimits bound how long the step may take until its containers have started.
	// A reason that they have takes precedence over that of [Config], and for the others that
	// of Config holds. Default: nil, none of its own.
	StartLimits StartLimits
	// Logs, if set, gets the logs of the containers that the step submitted, init
	// containers among them, line by line while they run. Each container's log begins with
	// its first line, also in a call that resumes the step; a step whose result was
	// recorded before the call writes nothing. Each line begins with the name of the pod in
	// a RunJob, and with that of the container if several were submitted. A Write gets whole
	// lines, and no two Writes of a step overlap; a writer that steps share must be safe for
	// concurrent use.
	//
	// The result comes when the logs are written, or when nothing was written for ten
	// seconds since the step's end, or a minute after it: PodResult.LogReport, of a RunJob
	// that of each of JobResult.Pods, says what was written. A writer that is slow, fails or
	// panics ends no step; after an error or a panic the step writes no more. A step whose
	// context ends waits a second for a Write. Stop waits for one that takes longer. Where
	// Retry runs the step again, the lines of each run that this call has waited for are
	// written, and the LogReport is that of the last one. docs/logs.md has the rules.
	// Default: nil.
	Logs io.Writer
	// Queue is the name of a LocalQueue of Kueue in the Execution's namespace. The Job gets
	// the label kueue.x-k8s.io/queue-name and is created suspended; it starts when Kueue
	// admits it, and Kueue may stop it and start it again later. While it waits its state is
	// [StepSuspended], with the queue's reason where the worker may read it, and neither
	// Timeout nor StartLimits count. A name that is no DNS subdomain of at most 63
	// characters, and an ExtraLabels that names another queue, are an [ErrInvalid]. The
	// queue of the call that created the Job stands when another one resumes it.
	// docs/queues.md says what else a queue may do. Default: "", none.
	Queue string
	// Retry says after which failures the step runs again in the same attempt. Default: none.
	Retry Retry
	// OnContextDone says what happens to the Job when the context of the ExecutionContext
	// ends before the step does. Default: [Detach].
	OnContextDone ContextDone
}

// ContextDone is what happens to the Job of a step whose context ends.
type ContextDone int

const (
	// Detach ends the wait. The Job is still running, and a function that runs again finds
	// it.
	Detach ContextDone = iota
	// Cancel stops the Job too, as [Step.Cancel] does, within ten seconds. The step ends
	// when the API server has accepted that, or has not within that time: its error wraps
	// the cause of the context, and [ErrCanceled] only if the Job was stopped, or was never
	// created. It does not wait for the Job's pods. A worker that dies cancels nothing, and
	// neither does [Client.Stop].
	Cancel
)

// StartLimits are how long a Job may take until its containers have started, by the reason
// why they have not. A step that takes longer is stopped for good, and its result is a
// failure with that reason, in the words of the scheduler, the kubelet or admission. Zero
// means no limit, a missing key the default, and any other key is an [ErrInvalid]. The keys
// and their defaults are:
//
//	FailedCreate                10 min  no pod: a quota, Pod Security, a webhook or the ServiceAccount
//	Unschedulable               15 min  the pod is not bound to a node
//	SchedulingGated             none    the pod is held by a scheduling gate, as of a queue
//	ErrImagePull                 5 min  the image cannot be pulled: also ImagePullBackOff,
//	                                    RegistryUnavailable, ImageInspectError and
//	                                    SignatureValidationFailed
//	InvalidImageName             1 s
//	ErrImageNeverPull            1 s
//	CreateContainerConfigError   5 min  a Secret or ConfigMap is missing
//	CreateContainerError         5 min  any other reason of a container that is waiting
//	ContainerCreating           20 min  no reason yet: an image is pulled, or a volume mounted
//	NodeLost                    10 min  a pod in deletion does not stop: its node is dead
//
// The time begins when the control plane did its last step: the Job's creation or
// resumption, the pod's creation, its binding to a node, the end of its deletion's grace
// period; or with the end of the init container or the pod of the Job before it, or the
// creation of the Secret of [ScriptOptions].Files, if that is later. It does not count
// while the Job is suspended, and a restart of the worker adds nothing. A problem is
// observed for a minute at least, unless its limit is shorter, and for the whole limit if
// the cluster does not say when it began: the Job's pods are gone, or a worker has seen
// the gates of a pod that is unschedulable now. After a pod of the Job has ended,
// FailedCreate is ten minutes longer, in which the Job controller may back off. A Job of
// which one pod is running is not stopped for another one, and a container that has run
// before has started.
type StartLimits map[string]time.Duration

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
	// the policy File they are not, and the message of a container that failed is its
	// output: see [PodResult.Output]. A selector is an [ErrInvalid], since the API server
	// generates it.
	Spec batchv1.JobSpec
	// ExtraAnnotations are added to the Job. Keys below kontinue.cloud/ and
	// batch.kubernetes.io/ are an [ErrInvalid], here and in the other maps.
	ExtraAnnotations map[string]string
	// ExtraLabels are added to the Job. Kontinue's own cannot be overridden.
	ExtraLabels map[string]string
	// PodAnnotations are added to the pods, over those of Spec.Template.
	PodAnnotations map[string]string
	// PodLabels are added to the pods, over those of Spec.Template. Kontinue's own cannot be
	// overridden.
	PodLabels map[string]string
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
	// PodAnnotations are added to the pod.
	PodAnnotations map[string]string
	// PodLabels are added to the pod. Kontinue's own cannot be overridden.
	PodLabels map[string]string
}

// ScriptOptions describe a command for [RunScript].
type ScriptOptions struct {
	StepOptions
	// Image is the container image.
	Image string
	// Command is the script. It reaches the shell unchanged. When it fails, the end of
	// its log is recorded on the Job, as in [JobOptions]. One that does not fit in an
	// argument (128 KiB) is passed to the container as one of its Files, and the shell gets
	// its path in place of the "-c" and the script: then Shell must end with "-c".
	Command string
	// Shell is the program that takes the script as its last argument. Default:
	// /bin/sh -c.
	Shell []string
	// Files are files for the container, by their absolute paths: each is there from the
	// start, read-only and executable. Together with a long Command they may have 900 KiB.
	// Their contents are any bytes. They are in a Secret that the Job owns, and that is
	// deleted with it; docs/pods.md has what that takes. The contents are in no error, log
	// line or record, and on the Job as digests only. Default: none.
	Files map[string]string
	// Env are variables of the container.
	Env []corev1.EnvVar
	// EnvFrom are the Secrets and ConfigMaps whose keys are variables of the container.
	EnvFrom []corev1.EnvFromSource
	// ServiceAccountName is the account of the pod. Default: that of the namespace.
	ServiceAccountName string
	// Resources are the container's requests and limits.
	Resources corev1.ResourceRequirements
	// Volumes are those of the pod.
	Volumes []corev1.Volume
	// VolumeMounts are where the container has them.
	VolumeMounts []corev1.VolumeMount
	// WorkingDir is where the script starts. Default: that of the image.
	WorkingDir string
	// SecurityContext is that of the container. That of the pod is in [Config].PodTemplate.
	SecurityContext *corev1.SecurityContext
	// ImagePullPolicy says when the image is pulled. Default: Kubernetes' own.
	ImagePullPolicy corev1.PullPolicy
	// ImagePullSecrets are the Secrets for the registry of the image.
	ImagePullSecrets []corev1.LocalObjectReference
	// ExtraAnnotations are added to the Job.
	ExtraAnnotations map[string]string
	// ExtraLabels are added to the Job. Kontinue's own cannot be overridden.
	ExtraLabels map[string]string
	// PodAnnotations are added to the pod.
	PodAnnotations map[string]string
	// PodLabels are added to the pod. Kontinue's own cannot be overridden.
	PodLabels map[string]string
}

// LogOptions say which part of which log to read. The zero value, and nil, mean the last
// 100 lines of the first container that the step submitted.
type LogOptions struct {
	// TailLines is the number of lines from the end. Default: 100, or all if All or Since
	// is set.
	TailLines int64
	// All reads the whole log that the kubelet has, of which the last 16 MiB are returned.
	// It excludes TailLines.
	All bool
	// Since leaves out what was written before it, to the second. Default: nothing.
	Since time.Time
	// Previous reads the log of the container's run before its last restart. If there is
	// none, the error is an [ErrLogsGone].
	Previous bool
	// Container names the container. Default: the first of the step's spec, also if
	// the cluster has put others before it, as a mesh does.
	Container string
}

// tail returns the options for package logs.
func (o *LogOptions) tail() (logs.TailOptions, error) {
	t := logs.TailOptions{Lines: o.TailLines, Since: o.Since, Previous: o.Previous}
	switch {
	case o.TailLines < 0:
		return t, fmt.Errorf("TailLines %d is negative", o.TailLines)
	case o.All && o.TailLines > 0:
		return t, errors.New("All and TailLines exclude each other")
	case o.TailLines == 0 && (o.All || !o.Since.IsZero()):
		t.Lines = -1
	}
	return t, nil
}
