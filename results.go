package kontinue

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/pods"
)

// JobResult is how a Job ended.
type JobResult struct {
	// SucceededPods and FailedPods are the Job's own counts (status.succeeded
	// and status.failed).
	SucceededPods int32
	// FailedPods counts the pods that failed, those that were retried included.
	FailedPods int32
	// Message explains why Succeeded is false, as plain text: the Job's own reason, and
	// the pod that Err describes. It is empty when Succeeded is true.
	Message string
	// Pods are all pods of the Job that are known, in the order of their
	// creation: retries, parallel pods and those of every completion index. Where a
	// resume had to take them from a record that had no room for all of them, it
	// has those first that have more to do with the Job's failure.
	Pods []*PodResult
	// Times are when the Job reached each stage.
	Times Times

	outcome *step.Outcome
}

// Succeeded reports whether at least one pod succeeded and none failed. A Job
// that completed after a retry has failed pods too, and one without completions has
// no pod that succeeded: Complete and Err follow the Job's condition instead.
func (r *JobResult) Succeeded() bool {
	return r.SucceededPods > 0 && r.FailedPods == 0 && (r.outcome == nil || !r.outcome.Failed)
}

// Complete reports whether the Job has the condition Complete, whatever the number of
// failed pods on the way.
func (r *JobResult) Complete() bool { return r.outcome != nil && !r.outcome.Failed }

// Name returns the Job's name.
func (r *JobResult) Name() string {
	if r.outcome == nil {
		return ""
	}
	return r.outcome.Job
}

// Resumed reports whether the Job existed before this call: made by an earlier
// run of the function, by another worker, or in an earlier attempt.
func (r *JobResult) Resumed() bool { return r.outcome != nil && r.outcome.Resumed }

// Drift lists the fields in which the Job that a named step resumed differs
// from the options of this call, one line each. It is empty for a Job that was
// made from the same options. The values of arguments and environment
// variables are not shown.
func (r *JobResult) Drift() []string {
	if r.outcome == nil {
		return nil
	}
	return r.outcome.Drift
}

// Mutations lists the fields that the cluster has changed in the Job, in the form of Drift:
// an admission webhook rewrites images or sets a TTL, a queue suspends it, an API server
// drops a field that it does not know. It is known to the call that created the Job and
// to one that resumed it while it had no record, and is logged at level Warn.
func (r *JobResult) Mutations() []string {
	if r.outcome == nil {
		return nil
	}
	return r.outcome.Mutations
}

// Err returns nil if the Job is Complete, also if pods failed on the way, and otherwise
// an [*ExitError] about the failure by which the Job controller decided that the Job
// failed: of backoffLimit the last try, of several pods that failed the one that
// exceeded the limit, of a podFailurePolicy the pod that it names. A pod that was
// stopped because the Job had failed, that a suspension removed or that a
// podFailurePolicy ignores is described only if no other is known.
//
// errors.Is finds the cause of each failure that is not such a victim: an
// [ErrOOMKilled] of the first try also if the last one exited with another code.
func (r *JobResult) Err() error {
	if r.Complete() || r.Succeeded() {
		return nil
	}
	e := newExitError(r.outcome)
	failures := r.failures()
	if len(failures) > 0 && r.explains(failures[0]) {
		e.describe(r.Pods[failures[0].Pod])
	}
	for _, f := range failures {
		if !f.Part.Victim() {
			e.addCauses(r.Pods[f.Pod])
		}
	}
	if e.Message == "" {
		e.Message = r.Message
	}
	return e
}

// failures orders the pods that did not succeed, the one to blame first.
func (r *JobResult) failures() []pods.Failure {
	outcomes := make([]pods.Outcome, len(r.Pods))
	for i, p := range r.Pods {
		outcomes[i] = p.inspect()
	}
	var end pods.JobEnd
	if r.outcome != nil {
		end = r.outcome.End()
	}
	return end.Failures(outcomes)
}

// explains reports whether the first of the failures explains that of the Job.
func (r *JobResult) explains(f pods.Failure) bool {
	return r.outcome == nil || r.outcome.Explains(f.Part)
}

// PodResult is how a pod ended.
type PodResult struct {
	// Pod is the pod in its last known state, without managedFields. After a
	// resume from a record, when the process no longer holds the pod, it
	// is restored from the record: the pod's identity, the names and images of its
	// containers, and how they ended. A process holds a pod until its step has its
	// record.
	Pod *corev1.Pod
	// Message explains a failure in one line: the container that failed first,
	// its exit code or signal and reason, or why the pod never ran. It is empty
	// for a pod that succeeded.
	Message string
	// Phase is the pod's last known phase. It is not always Succeeded or Failed:
	// a pod that was deleted while it ran keeps Running. In the result of RunPod and
	// RunScript it may be what the kubelet will report: the containers have ended, and
	// the phase follows from their exit codes: see [UntilContainers]. So may the phase
	// in Pod.
	Phase corev1.PodPhase
	// Times are when the pod reached each stage.
	Times Times

	pod     *pods.Outcome
	outcome *step.Outcome
	single  bool // the only pod of its Job, made by RunPod
}

// inspect returns the pod's outcome, also of a PodResult made by a test.
func (r *PodResult) inspect() pods.Outcome {
	if r.pod != nil {
		return *r.pod
	}
	return pods.Inspect(r.Pod)
}

// Succeeded reports whether all containers, init containers among them,
// terminated with exit code 0. Native sidecars (KEP-753) do not count. A
// container that was OOMKilled did not succeed, whatever its exit code, and
// neither did the pod of a RunPod whose Job failed, such as one that answered
// the deadline's SIGTERM with exit code 0. The pod of a RunPod whose Job is Complete
// succeeded also if its own status was never observed: the Job controller counted a
// pod in phase Succeeded, all of whose containers ended with exit code 0.
func (r *PodResult) Succeeded() bool {
	if r.single {
		return r.outcome.SinglePodSucceeded(r.inspect())
	}
	return r.inspect().Succeeded()
}

// Resumed reports whether the Job existed before this call, as
// [JobResult.Resumed] does.
func (r *PodResult) Resumed() bool { return r.outcome != nil && r.outcome.Resumed }

// Drift lists the fields in which a resumed Job differs from this call's
// options, as [JobResult.Drift] does.
func (r *PodResult) Drift() []string {
	if r.outcome == nil {
		return nil
	}
	return r.outcome.Drift
}

// Mutations lists what the cluster changed in the Job, as [JobResult.Mutations] does.
func (r *PodResult) Mutations() []string {
	if r.outcome == nil {
		return nil
	}
	return r.outcome.Mutations
}

// Err returns nil if the pod succeeded and otherwise an [*ExitError].
func (r *PodResult) Err() error {
	if r.Succeeded() {
		return nil
	}
	e := newExitError(r.outcome)
	e.describe(r)
	return e
}

// Logs returns the last lines of a container's log. opts may be nil. When the
// pod or its logs are gone the error is an [ErrLogsGone]; after the pod was
// deleted they always are.
func (r *PodResult) Logs(ktx *ExecutionContext, opts *LogOptions) (string, error) {
	if !ktx.valid() {
		return "", invalid("Logs", errNilExecution)
	}
	if opts == nil {
		opts = &LogOptions{}
	}
	if opts.TailLines < 0 {
		return "", invalid("Logs", fmt.Errorf("TailLines %d is negative", opts.TailLines))
	}
	if r.Pod == nil {
		return "", invalid("Logs", errors.New("the result has no pod"))
	}
	if r.Pod.Name == "" && r.outcome != nil {
		return "", fmt.Errorf("kontinue: %w: the pod of job %s/%s was gone before its name was known",
			ErrLogsGone, r.outcome.Namespace, r.outcome.Job)
	}
	container := opts.Container
	if container == "" {
		container = r.mainContainer()
	}
	ref := logs.Ref{Namespace: r.Pod.Namespace, Pod: r.Pod.Name, UID: r.Pod.UID, Container: container}
	text, err := ktx.run.Engine().Tail(ktx.run.Context(), ref, opts.TailLines)
	if err != nil {
		return "", fmt.Errorf("kontinue: Logs: %w", err)
	}
	return text, nil
}

// mainContainer is the first container of those that the step submitted: a cluster may
// put others before it, such as the proxy of a mesh.
func (r *PodResult) mainContainer() string {
	for _, c := range r.inspect().Containers {
		if c.Kind == pods.KindMain && !c.Injected {
			return c.Name
		}
	}
	if len(r.Pod.Spec.Containers) > 0 {
		return r.Pod.Spec.Containers[0].Name
	}
	return ""
}

// LogErrorSummary returns the last line of the log of the container that
// failed first, or of the step's first container when none failed. When the logs are
// gone it falls back to the end of the log that the kubelet left in the status
// of a failed container, if it did; otherwise the error is an [ErrLogsGone].
func (r *PodResult) LogErrorSummary(ktx *ExecutionContext) (string, error) {
	failed, ok := r.inspect().FirstFailure()
	text, err := r.Logs(ktx, &LogOptions{Container: failed.Name, TailLines: summaryLines})
	if err == nil {
		return logs.LastLine(text), nil
	}
	if last := logs.LastLine(failed.Message); ok && last != "" && errors.Is(err, ErrLogsGone) {
		return last, nil
	}
	return "", err
}

// summaryLines is how many lines are read to find the last one that is not blank.
const summaryLines = 20
