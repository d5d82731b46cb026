package jobs

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/kontinue/kontinue/internal/apicall"
)

// admitted returns, as [Drift] does, what the cluster changed in a Job at its create: an
// admission webhook edits it, a queue suspends it, and an API server drops fields that it
// does not know without an error, such as successPolicy before 1.31. A TTL is removed:
// see holdTTL.
func (c *Client) admitted(ctx context.Context, created, submitted *batchv1.Job) []string {
	var changes []string
	if !asSubmitted(&created.Spec, &submitted.Spec) {
		changes = Drift(created, submitted)
	}
	if created.Spec.TTLSecondsAfterFinished != nil {
		if change := c.holdTTL(ctx, created); change != "" {
			changes = append(changes, change)
		}
	}
	if len(changes) > 0 {
		c.log.WarnContext(ctx, "the cluster changed the job at its create",
			"namespace", created.Namespace, "job", created.Name, "changes", changes)
	}
	return changes
}

// asSubmitted reports whether a created spec has all that was submitted, and nothing
// beside it that decides what runs and when. It is for every create, and takes two fifths
// of the time of a Drift.
func asSubmitted(created, submitted *batchv1.JobSpec) bool {
	set := func(suspend *bool) bool { return suspend != nil && *suspend }
	have, want := &created.Template.Spec, &submitted.Template.Spec
	return equality.Semantic.DeepDerivative(submitted, created) &&
		set(created.Suspend) == set(submitted.Suspend) &&
		(created.ManagedBy == nil) == (submitted.ManagedBy == nil) &&
		(created.ActiveDeadlineSeconds == nil) == (submitted.ActiveDeadlineSeconds == nil) &&
		len(have.InitContainers) == len(want.InitContainers) && len(have.Containers) == len(want.Containers)
}

// holdTTL removes a ttlSecondsAfterFinished that the cluster has set, by which the Job
// could be gone before its result was read. It returns the change if that fails.
func (c *Client) holdTTL(ctx context.Context, job *batchv1.Job) (change string) {
	const field = "ttlSecondsAfterFinished"
	uid := apicall.UIDOf(job.UID, job.Namespace, job.Name)
	if err := c.patch(ctx, job.Namespace, job.Name, uid, nil, object{field: nil}); err != nil {
		return fmt.Sprintf("%s: set by the cluster, and not removed: %v", field, err)
	}
	live, err := c.Get(ctx, job.Namespace, job.Name)
	if err != nil || live.Spec.TTLSecondsAfterFinished == nil {
		return ""
	}
	return fmt.Sprintf("%s: %d -> unset (the cluster sets it again: a worker that resumes later than that after the job's end runs the step again)",
		field, *live.Spec.TTLSecondsAfterFinished)
}
