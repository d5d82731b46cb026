package jobs

import (
	"context"
	"errors"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/identity"
)

// Ensured is a Job that exists.
type Ensured struct {
	// Job is the object as the API server returned it.
	Job *batchv1.Job
	// Adopted: the Job was there already, made by an earlier worker, or by a
	// request of this one whose answer was lost.
	Adopted bool
	// Drift lists the fields in which the spec of an adopted Job differs from the
	// submitted one, "path: there -> submitted"; empty when it was made from the
	// same spec. Values of env, args and command are not shown.
	Drift []string
}

// Ensure creates the Job that r builds (see [Request.Build]), or adopts the one that
// has its name and the same controller owner. A request that is not valid is
// [ErrInvalid] before anything is sent. r must not change until Ensure returns: the
// Job is built when the call has its first turn (Options.MaxInFlight), so that of
// thousands that wait for theirs none exists yet.
//
// Whatever the answer to the create is, short of success and of an overloaded
// server's (429, which is given before a request is looked at), the object is looked
// for: a lost answer may hide a success, and quota and webhooks are asked before
// the name is, so that even 403 and 500 may hide the Job. An object of another
// owner, or of another worker group, is [ErrNameConflict] and is not touched. A
// Job in deletion is waited out. What may pass is tried again within
// Options.RetryFor; the rest is an [*APIError]. When ctx ends the error wraps its
// cause and the last answer, and says if the Job may exist: then a later Ensure
// finds it.
func (c *Client) Ensure(ctx context.Context, r *Request) (Ensured, error) {
	if err := r.Validate(); err != nil {
		return Ensured{}, err
	}
	e := &ensurer{c: c, request: r, namespace: r.Execution.Namespace, name: r.name()}
	for {
		err := c.retry(ctx, "ensure job", c.retries, e.try)
		if err == nil {
			if e.got.Adopted {
				c.log.DebugContext(ctx, "adopted job", "namespace", e.namespace, "name", e.name, "drift", len(e.got.Drift))
			}
			return e.got, nil
		}
		if !errors.Is(err, errDeleting) {
			return Ensured{}, e.explain(err)
		}
		if err := c.waitGone(ctx, e.namespace, e.name, e.deleting); err != nil {
			return Ensured{}, e.explain(err)
		}
		// The name is free: a new start with the whole time.
		e.look, e.failure = false, nil
	}
}

// errDeleting takes Ensure out of the retries: the wait for a deletion has its own bound.
var errDeleting = errors.New("job is being deleted")

// ensurer is the state of one Ensure: after a create that failed it looks for
// the object until the API server has said whether it exists.
type ensurer struct {
	c               *Client
	request         *Request
	namespace, name string
	job             *batchv1.Job // that the request builds; nil before the first try

	look     bool      // the next request is a get
	failure  *APIError // the answer to the last create
	unknown  bool      // a create may have taken effect although it failed
	deleting types.UID // the Job that has to go first
	got      Ensured
}

func (e *ensurer) try(ctx context.Context) (done bool, err error) {
	if e.job == nil {
		e.job = e.request.build()
	}
	if !e.look {
		created, err := ask(ctx, func(ctx context.Context) (*batchv1.Job, error) {
			return e.c.clientset.BatchV1().Jobs(e.namespace).Create(ctx, e.job, metav1.CreateOptions{})
		})
		if err == nil {
			e.got = Ensured{Job: created}
			return true, nil
		}
		e.failure = createError(e.job, err)
		e.unknown = e.unknown || e.failure.unknown()
		if overloaded(err) {
			return false, e.failure // a look would only take the place of another's create
		}
		e.look = true
	}
	live, failure := e.c.get(ctx, e.namespace, e.name)
	switch {
	case failure == nil:
		return true, e.found(live)
	case apierrors.IsNotFound(failure):
		e.look = false
		// AlreadyExists and not found: it was deleted between the two requests.
		again := !e.failure.final() || apierrors.IsAlreadyExists(e.failure)
		return !again, e.failure
	case failure.final() && e.failure.final() && !apierrors.IsAlreadyExists(e.failure):
		return true, e.failure
	default:
		return failure.final(), fmt.Errorf("%w; looked because of: %w", failure, e.failure)
	}
}

// found decides about the object that has the Job's name.
func (e *ensurer) found(live *batchv1.Job) error {
	e.unknown = false
	want, have := metav1.GetControllerOf(e.job), metav1.GetControllerOf(live)
	object := live.Namespace + "/" + live.Name
	switch {
	case have == nil:
		return fmt.Errorf("%w: job %s has no controller owner: rename or delete it", ErrNameConflict, object)
	case want == nil || have.UID != want.UID:
		return fmt.Errorf("%w: job %s is owned by %s %s (UID %s): rename or delete it", ErrNameConflict, object, have.Kind, have.Name, have.UID)
	case live.DeletionTimestamp != nil:
		e.deleting = live.UID
		return errDeleting
	}
	// The watch of this client selects on the group: it would never see the end of
	// a Job of another one.
	marks, submitted := identity.MetadataOf(live), identity.MetadataOf(e.job)
	if marks.Group != submitted.Group {
		return fmt.Errorf("%w: job %s belongs to worker group %q, not %q: resume the Execution with a worker of that group, or delete the job",
			ErrNameConflict, object, marks.Group, submitted.Group)
	}
	e.got = Ensured{Job: live, Adopted: true}
	if marks.SpecHash != submitted.SpecHash {
		e.got.Drift = Drift(live, e.job)
	}
	return nil
}

// explain names the object, where err does not yet, and says what may be left of
// it in the cluster.
func (e *ensurer) explain(err error) error {
	if !strings.Contains(err.Error(), e.name) {
		err = fmt.Errorf("job %s/%s: %w", e.namespace, e.name, err)
	}
	if e.unknown {
		err = fmt.Errorf("%w; job %s/%s may have been created all the same: a resume will find it", err, e.namespace, e.name)
	}
	return err
}
