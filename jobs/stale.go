package jobs

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/apicall"
)

// The list of an Execution's runs may be as old as the run of its function, and the cache
// is older than the API server. Before something is done that would be wrong if a run of
// them is gone, that run is read.

// newestExists reports whether the newest of the runs still exists. The number of the
// next run follows from it, and the list that shows it may be as old as the run of the
// function. If others have deleted it since, another worker may have created a run
// under its number, which the next number would run beside.
func (a *acquirer) newestExists(ctx context.Context, existing []Run) (bool, error) {
	newest := slices.MaxFunc(existing, func(x, y Run) int { return cmp.Compare(x.Number, y.Number) })
	live, err := a.c.Get(ctx, a.request.Execution.Namespace, newest.Name)
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, err
	}
	return apicall.SameUID(live.UID, newest.UID, live.Namespace, live.Name), nil
}

// ofGroup refuses a run of another worker group: the watch of this client selects on the
// group, and would never see its end. Such a run is read first, since the list may be old;
// one that is gone is left out.
func (a *acquirer) ofGroup(ctx context.Context, all []Run) (runs []Run, _ error) {
	r := a.request
	for _, run := range all {
		if run.Group != r.Group {
			live, err := a.c.Get(ctx, r.Execution.Namespace, run.Name)
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return nil, err
			}
			now, ok := r.runOf(find(live))
			if !ok {
				continue // another owner's, which a create finds
			}
			if run = now; run.Group != r.Group {
				return nil, fmt.Errorf("%w: job %s/%s belongs to worker group %q, not %q: resume the Execution with a worker of that group, or delete the job",
					ErrNameConflict, r.Execution.Namespace, run.Name, run.Group, r.Group)
			}
		}
		runs = append(runs, run)
	}
	return runs, nil
}
