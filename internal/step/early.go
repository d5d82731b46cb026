package step

import (
	"context"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
	"github.com/kontinue/kontinue/watch"
)

// Until is how much of a Job's end a wait waits for.
type Until int

const (
	// UntilContainers waits until the containers of the Job's only pod have ended, if
	// they prove a success, and until its phase is final otherwise.
	UntilContainers Until = iota
	// UntilPod waits until the phase of the Job's only pod is final.
	UntilPod
	// UntilJob waits until the Job has its condition.
	UntilJob
)

// untilOf is what the step waits for: the Job, if that may make several pods.
func (s *Spec) untilOf() Until {
	if !s.SinglePod {
		return UntilJob
	}
	return s.Until
}

// verdict is what the Job's only pod proves about its end: see [pods.Early].
func (s *state) verdict() pods.Verdict {
	// A pod of which no container has terminated is not whole, so that most events end here.
	if s.until == UntilJob || len(s.pods) != 1 || !s.pods[0].Whole || s.pods[0].deleted || s.job == nil {
		return pods.Undecided
	}
	j, status := s.job, s.status()
	facts := pods.Early{
		Template:     j.Template(),
		BackoffLimit: j.BackoffLimit,
		Contested: j.DeletionTimestamp != nil || j.Stopped() || j.Suspended || j.ManagedBy != "" || j.PodFailurePolicy != nil ||
			status.Suspended || status.Ending && !announces(status, s.pods[0].Phase),
	}
	if a := s.allowance(); a != (allowance{}) {
		facts.Deadline = a.end()
	}
	return facts.Verdict(s.pods[0].Object())
}

// announces reports whether the Job controller has announced the end that the phase of the
// Job's only pod proves. The watches of Jobs and pods are not ordered: a step ends alike
// whichever of the two shows it first.
func announces(status jobs.Status, phase corev1.PodPhase) bool {
	switch phase {
	case corev1.PodSucceeded:
		return status.Reason == batchv1.JobReasonCompletionsReached
	case corev1.PodFailed:
		return status.Reason == batchv1.JobReasonBackoffLimitExceeded
	default:
		return false
	}
}

// early reports whether the step is over although its Job has no condition yet.
func (s *state) early() bool {
	switch s.verdict() {
	case pods.Succeeded, pods.Failed:
		return true
	case pods.Succeeding:
		return s.until == UntilContainers
	case pods.Failing:
		return s.held
	case pods.Undecided:
	}
	return false
}

// foreseen is the status that the Job controller will write for a Job that is over early:
// with backoffLimit 0 the end of its only pod is that of the Job.
func (s *state) foreseen(status jobs.Status) jobs.Status {
	if len(s.pods) > 0 {
		status.Finished = pods.Inspect(s.pods[0].Object()).FinishedAt
	}
	switch s.verdict() {
	case pods.Succeeded, pods.Succeeding:
		status.Reason, status.Message = batchv1.JobReasonCompletionsReached, "Reached expected number of succeeded pods"
		status.Succeeded, status.FailedPods = 1, 0
	case pods.Failed, pods.Failing, pods.Undecided:
		status.Failed = true
		status.Reason, status.Message = batchv1.JobReasonBackoffLimitExceeded, "Job has reached the specified backoff limit"
		status.Succeeded, status.FailedPods = 0, int32(min(len(s.pods), 1))
	}
	return status
}

// foresee sets the phase of the pod of a step that is over early to the one that the
// kubelet will report.
func (o *Outcome) foresee() {
	for i := range o.Pods {
		if p := &o.Pods[i]; open(p.Phase) {
			if p.Phase = corev1.PodSucceeded; o.Failed {
				p.Phase = corev1.PodFailed
			}
		}
	}
}

// heldOpenGrace is how long containers that the cluster has injected may hold the pod open
// when those that were submitted have ended, if the pod's own grace period is not longer.
const heldOpenGrace = 30 * time.Second

// openGrace is heldOpenGrace, or the grace period of the pod.
func openGrace(j *watch.Job) time.Duration { return max(heldOpenGrace, gracePeriod(j.Template())) }

// gracePeriod is that of a pod's termination, and zero where the spec has none.
func gracePeriod(pod *corev1.PodSpec) time.Duration {
	if seconds := pod.TerminationGracePeriodSeconds; seconds != nil {
		return time.Duration(*seconds) * time.Second
	}
	return 0
}

// armHeld bounds the wait for a pod that has failed and that only containers which the
// cluster has injected hold open. grace is zero for any other.
func (w *wait) armHeld(grace time.Duration) {
	switch {
	case grace == 0:
		w.held.clear()
	case !w.held.set():
		w.held.after(grace)
	}
}

// checkHeld runs when injected containers have held the failed pod open for their grace
// period. The pod is read first: it may have ended while the watch was silent.
func (w *wait) checkHeld(ctx context.Context) error {
	again, err := w.readPods(ctx)
	switch {
	case err != nil:
		return err
	case again > 0:
		w.held.after(again)
	default:
		w.future.Do(func() { w.state.held = w.state.verdict() == pods.Failing })
	}
	return nil
}

// deadline is the activeDeadlineSeconds that a Job whose result is known needs if its pod
// is held open by a container that the cluster has injected: the Job controller then stops
// the pod, also if no worker is running. Nil means that it needs none, or has a shorter one.
func (w *wait) deadline(o *Outcome) (seconds *int64) {
	if !o.Early || len(o.Pods) != 1 || !o.Pods[0].HeldOpen() {
		return nil
	}
	w.future.Do(func() {
		s := &w.state
		seconds = w.engine.Clock.deadline(s.job.CreationTimestamp, s.job.Status.StartTime, openGrace(s.job), s.job.Deadline)
	})
	return seconds
}

// deadline returns the activeDeadlineSeconds that leave a Job that grace, or nil if it has
// some that leave it less. They count from its start; where that is not known, its creation
// is earlier, and the Job has a little more time.
func (c *Clock) deadline(created metav1.Time, started *metav1.Time, grace time.Duration, have *int64) *int64 {
	if started == nil {
		started = &created
	}
	seconds := max(1, int64((c.since(started.Time)+grace).Seconds())+1)
	if have != nil && *have <= seconds {
		return nil
	}
	return &seconds
}
