package step

import (
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

// rank notes at each pod that did not succeed what it had to do with the Job's end. The
// record keeps that, since most of the evidence is gone later.
func (s *state) rank(o *Outcome) {
	for i, f := range s.end(o).Failures(o.Pods) {
		o.Pods[f.Pod].Rank, o.Pods[f.Pod].Part = i+1, f.Part
	}
}

// end is what the Job says about its end.
func (s *state) end(o *Outcome) pods.JobEnd {
	end := o.End()
	status := s.status()
	end.Started, end.Decided = status.Started, status.Finished
	for _, c := range s.job.Status.Conditions {
		// Since 1.31 the final condition comes when the pods have ended.
		if (c.Type == batchv1.JobFailureTarget || c.Type == batchv1.JobSuccessCriteriaMet) && c.Status == corev1.ConditionTrue {
			end.Decided = c.LastTransitionTime.Time
		}
	}
	end.BackoffLimit = &s.job.BackoffLimit
	if s.job.MaxFailedIndexes >= 0 {
		end.MaxFailedIndexes = &s.job.MaxFailedIndexes
	}
	end.FailedIndexes = s.job.Status.FailedIndexes
	if why, ok := s.gaveUp(); ok {
		end.Decider = why.Pod
	}
	return end
}

// End is what a record says about the Job's end.
func (o *Outcome) End() pods.JobEnd {
	return pods.JobEnd{
		Failed: o.Failed, Canceled: o.Canceled, GaveUp: o.GaveUp, Reason: o.Reason, Message: o.Message, FailedPods: int(o.FailedPods), Lost: o.Lost,
	}
}

// rankRest ranks the pods that the record had no room for after those that it has.
func (o *Outcome) rankRest() {
	for i, f := range o.End().Failures(o.Pods) {
		if o.Pods[f.Pod].Rank == 0 {
			o.Pods[f.Pod].Rank, o.Pods[f.Pod].Part = i+1, f.Part
		}
	}
}

// Cause is the pod that is to blame, if that is known: none where only victims are
// left of a Job whose pods decided its end, or of one that did not fail.
func (o *Outcome) Cause() (pods.Outcome, bool) {
	failures := o.End().Failures(o.Pods)
	if len(failures) == 0 {
		return pods.Outcome{}, false
	}
	if first := failures[0]; o.Explains(first.Part) {
		return o.Pods[first.Pod], true
	}
	return pods.Outcome{}, false
}

// Explains reports whether the failure of a pod that had this part explains the Job's,
// when there is none that had a greater one.
func (o *Outcome) Explains(part pods.Part) bool {
	switch {
	case !o.Failed:
		return part <= pods.PartRemoved // the Job has counted it
	case o.Lost > 0 && o.End().DecidedByPods():
		return !part.Victim() // it is one of those that are lost
	}
	return true
}

// Explain is the Job's own explanation and, if it did not succeed, that of the pod that is
// to blame.
func (o *Outcome) Explain() string { return o.withCause(o.Text()) }

func (o *Outcome) withCause(text string) string {
	cause, ok := o.Cause()
	if !ok || cause.Explain() == "" {
		return text
	}
	return strings.TrimSpace(fmt.Sprintf("%s (pod %s: %s)", text, cause.Name, cause.Explain()))
}
