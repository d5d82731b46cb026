package kontinue

import (
	"errors"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/internal/step"
)

// Retry says after which failures a step runs again in the same attempt, as a new Job. The
// zero value means none. Classes without a Limit, and a Backoff without a Limit or
// Infrastructure, are an [ErrInvalid].
//
// What ran and why is on the Jobs: a run is recorded before the next one is created, so a
// worker that resumes during the back-off, or a second one, continues where the first was.
// The result is that of the newest run. A Job whose result was not recorded is not followed
// by another one, and neither is one of a step that was canceled, by [Client.Cancel] or
// [Step.Cancel].
//
// The limits count the runs of one attempt that still exist. A later attempt begins with the
// child policy, which sees the newest run, and has the whole limits again. Under
// [ChildPolicyNone], which runs no finished step again, all attempts share the runs and the
// limits: a later attempt continues where the one before was, also in the back-off.
type Retry struct {
	// Limit is how many further runs may follow failures of the Classes. Default: 0, none.
	Limit int
	// Classes are those of the failures that count towards Limit: [ClassUser], [ClassConfig]
	// or [ClassTimeout], as [ExitError] has them. Default: ClassUser.
	Classes []Class
	// Infrastructure is how many further runs may follow failures of [ClassInfrastructure]
	// and [ClassCapacity]. They do not count towards Limit. The program may have run in
	// part. Default: 0, none.
	Infrastructure int
	// Backoff is how long after the end of the first run that failed the next one is
	// created. It doubles with each further run, up to five minutes, or Backoff if that is
	// longer. It counts from the end that the record says, by the clocks of the cluster, so
	// a restart of the worker does not prolong it. Default: 10 seconds.
	Backoff time.Duration
	// ReplaceDisrupted lets the Job of RunPod and RunScript create another pod, without a
	// worker, when its pod was evicted, preempted or deleted with its node (the pod has the
	// condition DisruptionTarget). It is the Job's own podFailurePolicy: such pods are not
	// counted, the Job has no limit for them, and the program may run more than once. It
	// applies to Jobs that are created with it, and the step waits for the Job's condition,
	// as by [UntilJob]. For RunJob, whose spec has a podFailurePolicy, it is an
	// [ErrInvalid]. Default: false.
	ReplaceDisrupted bool
}

// step returns the part of it that the engine carries out.
func (r *Retry) step() step.Retry {
	s := step.Retry{Limit: r.Limit, Infrastructure: r.Infrastructure, Backoff: r.Backoff}
	for _, c := range r.Classes {
		s.Classes = append(s.Classes, causes.Class(c))
	}
	return s
}

// replace lets the Job of a single pod create another one where that has failed with the
// condition DisruptionTarget (KEP-3329).
func (r *Retry) replace(job *batchv1.JobSpec) {
	if !r.ReplaceDisrupted {
		return
	}
	job.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action:          batchv1.PodFailurePolicyActionIgnore,
		OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue}},
	}}}
}

var errReplaceDisrupted = errors.New("Retry.ReplaceDisrupted is for RunPod and RunScript: set the podFailurePolicy and the backoffLimit of the spec")
