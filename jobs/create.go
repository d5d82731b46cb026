package jobs

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/redact"
)

// create creates the planned run under its name.
func (a *acquirer) create(ctx context.Context) (Acquired, bool, error) {
	a.name = a.request.name()
	if a.request.Admit != nil {
		if err := a.request.Admit(ctx, a.request, a.name); err != nil {
			return Acquired{}, false, err
		}
	}
	e := &creation{c: a.c, request: a.request, namespace: a.request.Execution.Namespace, name: a.name}
	e.fate.execution = a.request.Execution.UID
	err := a.c.retry(ctx, "create job", a.c.creates, e.try)
	a.unknown = e.unknown
	if e.created != nil || e.live != nil {
		a.c.undecided.settled(&e.fate)
	}
	switch {
	case err != nil:
		return Acquired{}, false, err
	case e.created != nil:
		run, ok := a.request.runOf(find(e.created))
		if !ok {
			return Acquired{}, false, fmt.Errorf("job %s/%s was created with another name or owner: does an admission webhook change them?", e.namespace, e.name)
		}
		return Acquired{Run: run, Job: e.created, Mutations: a.c.admitted(ctx, e.created, e.job)}, true, nil
	case e.live != nil:
		f, err := a.ours(e.live)
		if err == nil && e.unknown { // it is most likely this call's
			a.mutations = a.c.admitted(ctx, unqueued(e.live, e.job), e.job)
		}
		a.live, a.unknown = &f, false
		return Acquired{}, false, err
	default:
		a.taken, a.exists, a.unknown = a.name, e.failure, false
		a.again()
		return Acquired{}, false, nil
	}
}

// creation is the state of one create. After an error it reads the object until the API
// server has said whether it exists.
type creation struct {
	c               *Client
	request         *Request
	namespace, name string
	job             *batchv1.Job // that the request builds; nil before the first try
	fate            fate

	look    bool      // the next request is a get
	failure *APIError // the error of the last create
	secrets redact.Secrets
	unknown bool         // a create may have taken effect although it failed
	created *batchv1.Job // by this call
	live    *batchv1.Job // that has the name, as a get returned it
}

// try is done when the Job is created, when an object with its name was found, or
// when the API server says that there is one.
func (e *creation) try(ctx context.Context) (done bool, _ error) {
	if e.job == nil {
		job, err := e.request.build()
		if err != nil {
			return true, err
		}
		e.job = job
	}
	if !e.look {
		created, err := e.c.create(ctx, &e.fate, e.job)
		if err == nil {
			e.created = created
			return true, nil
		}
		if apierrors.IsAlreadyExists(err) && !e.unknown {
			e.failure = apiError("create", e.namespace, e.name, err)
			return true, nil
		}
		if e.secrets == nil {
			e.secrets = redact.Of(e.job)
		}
		e.failure = apiError("create", e.namespace, e.name, err)
		e.failure.secrets = e.secrets // which the response may quote
		e.unknown = e.unknown || e.failure.unknown()
		if apicall.Overloaded(err) {
			return false, e.failure // a get would only delay another call's create
		}
		e.look = true
	}
	live, failure := e.c.get(ctx, e.namespace, e.name)
	switch {
	case failure == nil:
		e.live = live
		return true, nil
	case apierrors.IsNotFound(failure):
		e.look = false
		// AlreadyExists and not found: it was deleted between the two requests.
		again := e.failure.Transient() || apierrors.IsAlreadyExists(e.failure)
		return !again, e.failure
	case !failure.Transient() && !e.failure.Transient() && !apierrors.IsAlreadyExists(e.failure):
		return true, e.failure
	default:
		return !failure.Transient(), fmt.Errorf("%w; looked because of: %w", failure, e.failure)
	}
}
