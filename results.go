package kontinue

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/step"
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

// Succeeded reports whether at least one pod succeeded and none failed, and the Job
// did not fail either, as by its deadline. A Job that completed after a retry has failed
// pods too, and one without completions has no pod that succeeded: Complete and Err
// follow the Job's condition instead.
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

// Runs is how many runs the step had in the attempt of this result, with this one: 1, or
// more with StepOptions.Retry. It counts the Jobs that still exist, and is 0 in a result that
// a test has made.
func (r *JobResult) Runs() int {
	if r.outcome == nil {
		return 0
	}
	return r.outcome.Runs
}

// Drift lists the fields in which the Job that a named step resumed differs
// from the options of this call, one line each: "path: value in the cluster -> value of
// this call", such as "template.spec.containers[0].image: app:1 -> app:2". It is empty for
// a Job that was made from the same options. The values of arguments and environment
// variables are not shown.
func (r *JobResult) Drift() []string {
	if r.outcome == nil {
		return nil
	}
	return r.outcome.Drift
}

// Mutations lists the fields that the cluster has changed in the Job, in the form of Drift,
// so that the value in the cluster comes first: an admission webhook rewrites images or sets
// a deadline, a queue suspends it, an API server drops a field that it does not know. A TTL
// that it sets is taken back, and is listed only if that fails. The list is logged at level
// Warn and not recorded: the call that created the Job knows it, and one that resumed it
// before its record knows whether image, command or arguments differ, and how then.
//
// Containers that the cluster added to a pod, and not to the Job, as a mesh does, are
// listed too. They are recorded, so that each call knows them.
func (r *JobResult) Mutations() []string {
	if r.outcome == nil {
		return nil
	}
	return mutations(r.outcome.Mutations, r.inspect()...)
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
	end, outcomes := jobEnd(r.outcome), r.inspect()
	failures := end.Failures(outcomes)
	var blamed pods.Outcome
	if len(failures) > 0 && r.explains(failures[0]) {
		e.describe(r.Pods[failures[0].Pod])
		blamed = outcomes[failures[0].Pod]
	}
	e.classify(end, blamed)
	for _, f := range failures {
		if !f.Part.Victim() {
			e.addCauses(outcomes[f.Pod])
		}
	}
	if e.Message == "" {
		e.Message = r.Message
	}
	return e
}

// inspect returns the outcomes of the pods.
func (r *JobResult) inspect() []pods.Outcome {
	outcomes := make([]pods.Outcome, len(r.Pods))
	for i, p := range r.Pods {
		outcomes[i] = p.inspect()
	}
	return outcomes
}

// jobEnd is what is known of the end of a result's Job, which a test may have made up.
func jobEnd(o *step.Outcome) pods.JobEnd {
	if o == nil {
		return pods.JobEnd{}
	}
	return o.End()
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
	// LogReport says what was written to StepOptions.Logs. It is nil without a writer, and
	// for a step whose result was recorded before the call.
	LogReport *LogReport

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

// noPods is why there is nothing of the pod but its phase, if it was in another cluster.
func (r *PodResult) noPods() error {
	if r.Pod != nil && r.Pod.Name != "" {
		return nil
	}
	return r.outcome.NoPods()
}

// object is the pod, or an empty one.
func (r *PodResult) object() *corev1.Pod {
	if r.Pod == nil {
		return &corev1.Pod{}
	}
	return r.Pod
}

func (r *PodResult) name() string { return r.object().Name }

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

// Runs is how many runs the step had in the attempt of this result, as [JobResult.Runs] is.
func (r *PodResult) Runs() int {
	if r.outcome == nil {
		return 0
	}
	return r.outcome.Runs
}

// Drift lists the fields in which a resumed Job differs from this call's
// options, as [JobResult.Drift] does.
func (r *PodResult) Drift() []string {
	if r.outcome == nil {
		return nil
	}
	return r.outcome.Drift
}

// Mutations lists what the cluster changed in the Job and the pod, as [JobResult.Mutations]
// does.
func (r *PodResult) Mutations() []string {
	if r.outcome == nil {
		return nil
	}
	return mutations(r.outcome.Mutations, r.inspect())
}

// Err returns nil if the pod succeeded and otherwise an [*ExitError].
func (r *PodResult) Err() error {
	if r.Succeeded() {
		return nil
	}
	e := newExitError(r.outcome)
	e.describe(r)
	if r.noPods() != nil {
		e.classify(jobEnd(r.outcome), pods.Outcome{})
	} else {
		e.classify(jobEnd(r.outcome), r.inspect())
	}
	return e
}
