package jobs

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/identity"
)

// Amend changes the outcome that [Client.Record] has left on the Job to what change
// makes of it. The Job is read, and the API server refuses the write if it has
// changed since: then it is read again, and change called again, so that no other
// worker's change is lost. When change returns what it was given, or an error,
// nothing is written; nor is it called when nothing is recorded. Within the retries
// it may be called several times. A Job that is gone or replaced is
// [ErrJobDeleted].
func (c *Client) Amend(ctx context.Context, namespace, name string, uid types.UID, change func(outcome string) (string, error)) error {
	return c.retry(ctx, "amend outcome", c.retries, func(ctx context.Context) (bool, error) {
		live, failure := c.get(ctx, namespace, name)
		switch {
		case failure != nil && apierrors.IsNotFound(failure):
			return true, fmt.Errorf("%w: %w", ErrJobDeleted, failure)
		case failure != nil:
			return failure.final(), failure
		case !isJob(live, uid):
			return true, fmt.Errorf("%w: another object has the name of job %s/%s now", ErrJobDeleted, namespace, name)
		}
		there := identity.MetadataOf(live).Record
		if there == "" {
			return true, nil
		}
		amended, err := change(there)
		if err != nil || amended == there {
			return true, err
		}
		// A conflict is transient, and the next try reads the Job again.
		return c.tryPatch(ctx, namespace, name, uid, live.ResourceVersion, object{identity.AnnotationRecord: amended}, nil)
	})
}
