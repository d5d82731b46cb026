package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Acquired is the run of a step whose result counts.
type Acquired struct {
	// Run is the run.
	Run Run
	// Job is the object as the API server returned it; nil for a run that was found
	// in a list or in the cache.
	Job *batchv1.Job
	// Adopted: the Job was there already, made by an earlier worker, or by a
	// request of this one whose answer was lost.
	Adopted bool
	// Drift lists the fields in which the spec of an adopted Job differs from the
	// submitted one, "path: there -> submitted"; empty when it was made from the
	// same spec, or from one that differs in nothing, such as the order of variables or
	// a default that is spelled out. Values of env, args and command are not shown.
	Drift []string
	// Mutations lists in the same way what the cluster has made of a Job that was made
	// from the same spec: at its create, or before it was adopted.
	Mutations []string
}

// maxPlans bounds how often one call plans. Each plan after the first follows a
// change in the cluster; so many of them mean that others fight over the step.
const maxPlans = 50

// Acquire finds the run of r's step whose result counts, or creates a new one, by
// the plan of p. A request that is not valid is [ErrInvalid] before anything is sent.
// r must not change until Acquire returns: the Job is built when the call has its
// first turn (Options.MaxInFlight).
//
// What exists is taken from cached, which may prove that a Job exists and never that
// it does not, and from runs. The API server decides about a new run: when its name is
// taken, the runs are read and planned again. Whatever the answer to the create is,
// short of success and of an overloaded server's (429, which is given before a
// request is looked at), the object is looked for: a lost answer may hide a success,
// and quota and webhooks are asked before the name is, so that even 403 and 500 may
// hide the Job. An object of another owner, or a run of another worker group, is
// [ErrNameConflict] and is not touched. What may pass is tried again within
// Options.RetryFor; the rest is an [*APIError]. When ctx ends the error wraps its
// cause and the last answer, and says if the Job may exist: then a later call finds
// it.
func (c *Client) Acquire(ctx context.Context, r *Request, p Policy, runs *Runs, cached []Found) (Acquired, error) {
	if err := r.Validate(); err != nil {
		return Acquired{}, err
	}
	a := &acquirer{c: c, request: r, runs: runs, cached: cached}
	for range maxPlans {
		got, done, err := a.plan(ctx, p)
		if err != nil {
			return Acquired{}, a.explain(err)
		}
		if done {
			runs.release(r.Step)
			return got, nil
		}
	}
	return Acquired{}, fmt.Errorf("step %q of execution %s/%s: its Jobs changed %d times while it was looked for: does something else create or delete them?",
		r.Step, r.Execution.Namespace, r.Execution.Name, maxPlans)
}

// acquirer is the state of one Acquire.
type acquirer struct {
	c         *Client
	request   *Request
	runs      *Runs
	cached    []Found
	taken     string          // the name for which a create was answered AlreadyExists
	exists    error           // that answer
	pauses    backoff.BackOff // between creates for which the name is taken and free by turns
	live      *Found          // what a look by name found
	name      string          // the last name that was asked for
	unknown   bool            // a create may have taken effect although it failed
	mutations []string        // what the cluster has made of that Job
}

// plan goes one step ahead; done is false when the runs have to be planned again.
func (a *acquirer) plan(ctx context.Context, p Policy) (got Acquired, done bool, err error) {
	existing, err := a.existing(ctx)
	if err != nil {
		return Acquired{}, false, err
	}
	d := p.Plan(a.request.Attempt, existing)
	switch {
	case d.Adopt != nil:
		got, err = a.adopt(ctx, *d.Adopt)
		return got, err == nil, err
	case len(d.Delete)+len(d.Await) > 0:
		return Acquired{}, false, a.makeRoom(ctx, d)
	default:
		a.request.Run = d.Create
		return a.create(ctx)
	}
}

// existing returns the runs of the step that are known.
func (a *acquirer) existing(ctx context.Context) ([]Run, error) {
	r := a.request
	var listed []Found
	if r.Attempt > 0 || a.runs.invalid() || !slices.ContainsFunc(a.cached, a.living) {
		var fresh bool
		var err error
		if listed, fresh, err = a.runs.of(ctx, r.Step); err != nil {
			return nil, err
		}
		if fresh { // and complete: a Job that only the cache shows is gone
			a.cached = nil
		}
	}
	var all []Run
	add := func(f Found) {
		run, ok := r.runOf(f)
		same := func(other Run) bool { return other.Name == run.Name }
		if ok && !slices.ContainsFunc(all, same) {
			all = append(all, run)
		}
	}
	if a.live != nil {
		add(*a.live) // the newest read
	}
	for _, list := range [][]Found{listed, a.cached} {
		for _, f := range list {
			add(f)
		}
	}
	if a.taken != "" && !slices.ContainsFunc(all, func(run Run) bool { return run.Name == a.taken }) {
		// The list does not show it: another owner's, or stripped of its labels.
		live, failure := a.c.Get(ctx, r.Execution.Namespace, a.taken)
		switch {
		case failure == nil:
			f, err := a.ours(live)
			if err != nil {
				return nil, err
			}
			a.live = &f
			add(f)
		case !apierrors.IsNotFound(failure):
			return nil, fmt.Errorf("%w; looked because of: %w", failure, a.exists)
		default: // it was deleted between the two requests
			if err := a.pause(ctx); err != nil {
				return nil, err
			}
		}
	}
	a.taken = ""
	for _, run := range all {
		// The watch of this client selects on the group: it would never see the end of
		// a Job of another one.
		if run.Group != r.Group {
			return nil, fmt.Errorf("%w: job %s/%s belongs to worker group %q, not %q: resume the Execution with a worker of that group, or delete the job",
				ErrNameConflict, r.Execution.Namespace, run.Name, run.Group, r.Group)
		}
	}
	return all, nil
}

// living reports whether a cached Job is a run of the step that can be adopted. In the
// first attempt it is: no other attempt is known to this one.
func (a *acquirer) living(f Found) bool {
	run, ok := a.request.runOf(f)
	return ok && !run.Deleting && !run.Recorded
}

// pause backs off before a name is asked for again.
func (a *acquirer) pause(ctx context.Context) error {
	if a.pauses == nil {
		a.pauses = backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstDelay), backoff.WithMultiplier(2),
			backoff.WithMaxInterval(a.c.retries.pause), backoff.WithMaxElapsedTime(a.c.retries.all))
	}
	delay := a.pauses.NextBackOff()
	if delay == backoff.Stop {
		return fmt.Errorf("gave up after %s: %w", a.c.retries.all, a.exists)
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return stopped(ctx, a.exists)
	}
}

// ours refuses an object that has the name of a run and another owner.
func (a *acquirer) ours(live *batchv1.Job) (Found, error) {
	have := metav1.GetControllerOf(live)
	object := live.Namespace + "/" + live.Name
	switch {
	case have == nil:
		return Found{}, fmt.Errorf("%w: job %s has no controller owner: rename or delete it", ErrNameConflict, object)
	case have.UID != a.request.Owner.UID:
		return Found{}, fmt.Errorf("%w: job %s is owned by %s %s (UID %s): rename or delete it", ErrNameConflict, object, have.Kind, have.Name, have.UID)
	}
	return find(live), nil
}

// adopt compares the specs, and removes a label by which the watch would not show a
// Job that has no record.
func (a *acquirer) adopt(ctx context.Context, run Run) (Acquired, error) {
	r, c := a.request, a.c
	got := Acquired{Run: run, Adopted: true, Mutations: a.mutations}
	if run.Labeled && !run.Recorded {
		if err := c.Unlabel(ctx, r.Execution.Namespace, run.Name, run.UID); err != nil && !errors.Is(err, ErrJobDeleted) {
			return Acquired{}, err
		}
	}
	other := !r.madeFrom(run.SpecHash)
	changed := !run.Recorded && run.Contents != 0 && run.Contents != contents(&r.Spec.Template.Spec)
	if other || changed {
		live, err := c.Get(ctx, r.Execution.Namespace, run.Name)
		switch {
		case apierrors.IsNotFound(err):
			return Acquired{}, fmt.Errorf("%w: %w", ErrJobDeleted, err)
		case err != nil:
			return Acquired{}, err
		}
		r.Run = run.Number
		if drift := Drift(live, r.build()); other {
			got.Drift = drift
		} else {
			got.Mutations = drift
		}
	}
	c.log.DebugContext(ctx, "adopted job", "namespace", r.Execution.Namespace, "name", run.Name, "drift", len(got.Drift))
	return got, nil
}

// makeRoom deletes the runs that must not run beside a new one, waits until those
// that are in its way have gone or ended, and has the runs read again.
func (a *acquirer) makeRoom(ctx context.Context, d Decision) error {
	namespace := a.request.Execution.Namespace
	for _, run := range d.Delete {
		if err := a.c.Delete(ctx, namespace, run.Name, run.UID); err != nil {
			return err
		}
	}
	for _, run := range d.Await {
		if err := a.c.waitEnded(ctx, namespace, run.Name, run.UID, run.Deleting); err != nil {
			return err
		}
	}
	a.again()
	return nil
}

// again has the runs read and planned again. What the cache knew is older than the
// list that follows.
func (a *acquirer) again() {
	a.cached, a.live = nil, nil
	a.runs.Invalidate()
}

// explain names the object, where err does not yet, and says what may be left of
// it in the cluster.
func (a *acquirer) explain(err error) error {
	namespace := a.request.Execution.Namespace
	if a.name != "" && !strings.Contains(err.Error(), a.name) {
		err = fmt.Errorf("job %s/%s: %w", namespace, a.name, err)
	}
	if a.unknown {
		err = fmt.Errorf("%w; job %s/%s may have been created all the same: a resume will find it", err, namespace, a.name)
	}
	return err
}
