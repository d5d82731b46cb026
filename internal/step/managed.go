package step

import "fmt"

// A Job whose spec.managedBy names another controller than Kubernetes' own is run by that
// one, such as MultiKueue, in another cluster: its status is copied to the Job, and its pods
// and their logs are not here. Such a step ends by the Job's status alone. Pods of the Job
// that this cluster has all the same count as those of any Job.

// NoPods returns an error that wraps [ErrNoPods] and says why, if the Job was run in another
// cluster, and nil for any other.
func (o *Outcome) NoPods() error {
	if o == nil || o.ManagedBy == "" || len(o.Pods) > 0 {
		return nil
	}
	return fmt.Errorf("%w: job %s/%s is managed by %s (spec.managedBy), which runs its pods in another cluster: their logs, outputs and exit codes are there",
		ErrNoPods, o.Namespace, o.Job, o.ManagedBy)
}

// controller is who ends the Job.
func (s *state) controller() string {
	if s.job == nil || s.job.ManagedBy == "" {
		return "the Job controller"
	}
	return s.job.ManagedBy
}
