package kontinue

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// Finish says that the Execution has ended: its Jobs get their TTL, and the
// cluster removes each that long after its end. A ttlSecondsAfterFinished of
// the Job's own spec, held back until now, comes before Execution.TTL; a Job
// with neither stays until the owner goes. TTLs are rounded up to whole
// seconds.
//
// Finish costs one LIST and one PATCH for each Job, may be called again, and
// joins the errors of the Jobs that it could not patch.
func (c *Client) Finish(ctx context.Context, execution Execution) error {
	return c.forJobs(ctx, "Finish", execution, func(ctx context.Context, job *batchv1.Job) error {
		seconds := identity.MetadataOf(job).TTLSeconds
		if seconds == nil {
			if execution.TTL == nil {
				return nil
			}
			rounded := int32(min(math.Ceil(execution.TTL.Seconds()), math.MaxInt32))
			seconds = &rounded
		}
		if have := job.Spec.TTLSecondsAfterFinished; have != nil && *have == *seconds {
			return nil
		}
		return c.jobs.SetTTL(ctx, job.Namespace, job.Name, job.UID, *seconds)
	})
}

// Cancel stops the Execution's Jobs that have not ended: the Job controller
// deletes their pods, starts no more and marks them Failed. Their waits, in any
// process, end with results that are an [ErrCanceled]. The Jobs stay as a
// record, so that a resumed function does not run them again.
//
// It does not stop the function, which may create further Jobs: end its context
// first. Cancel may be called again, and joins the errors of the Jobs that it
// could not stop.
func (c *Client) Cancel(ctx context.Context, execution Execution) error {
	return c.forJobs(ctx, "Cancel", execution, func(ctx context.Context, job *batchv1.Job) error {
		if jobs.Classify(&job.Status).Terminal || identity.MetadataOf(job).Canceled {
			return nil
		}
		return c.jobs.Cancel(ctx, job.Namespace, job.Name, job.UID)
	})
}

// forJobs reads the Execution's Jobs and calls do for each, a few at a time. A
// Job that goes meanwhile is no error.
func (c *Client) forJobs(ctx context.Context, what string, execution Execution, do func(context.Context, *batchv1.Job) error) error {
	if ctx == nil {
		return invalid(what, errNilContext)
	}
	execution, _, err := c.checkExecution(execution)
	if err != nil {
		return fmt.Errorf("kontinue: %s: %w", what, err)
	}
	ctx, end, err := c.begin(ctx)
	if err != nil {
		return fmt.Errorf("kontinue: %s: %w", what, err)
	}
	defer end()
	list, err := c.jobs.List(ctx, execution.Namespace, identity.ExecutionSelector(c.cfg.Group, execution.Owner.UID))
	if err != nil {
		return fmt.Errorf("kontinue: %s: %w", what, err)
	}
	work := make(chan *batchv1.Job)
	errs := make([]error, min(len(list), jobWorkers))
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for job := range work {
				if err := do(ctx, job); err != nil && !errors.Is(err, ErrJobDeleted) {
					errs[i] = errors.Join(errs[i], err)
				}
			}
		})
	}
	for i := range list {
		// A copy with the same labels is not the Execution's.
		if owner := metav1.GetControllerOfNoCopy(&list[i]); owner != nil && owner.UID == execution.Owner.UID {
			work <- &list[i]
		}
	}
	close(work)
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("kontinue: %s: %w", what, err)
	}
	return nil
}

// jobWorkers is how many Jobs Finish and Cancel patch at a time.
const jobWorkers = 16
