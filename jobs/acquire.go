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

	"github.com/kontinue/kontinue/internal/identity"
)

// Acquired is the run of a step whose result counts.
type Acquired struct {
	// Run is the run.
	Run Run
	// Job is the object as the API server returned it; nil for a run that was found
	// in a list or in the cache.
	Job *batchv1.Job
	// Adopted reports whether the Job existed already: an earlier worker created it, or
	// a request of this one whose response was lost.
	Adopted bool
	// Drift lists the fields in which the spec of an adopted Job differs from the
	// submitted one, "path: live -> submitted". It is empty if the Job was made from the
	// same spec, or from an equivalent one, with variables in another order or a default
	// written out. Values of env, args and command are not shown.
	Drift []string
	// Mutations lists in the same way what the cluster changed in a Job that was made
	// from the same spec: at its create, or before it was adopted.
	Mutations []string
	// Until is that of the [Decision]: Run has failed, and another run follows it then.
	Until time.Time
	// Backoff is that of the Decision.
	Backoff time.Duration
	// Runs is how many runs the attempt has had with this one.
	Runs int
}

// maxPlans bounds how often one call plans. Each plan after the first follows a
// change in the cluster. After this many, something else creates or deletes the Jobs.
const maxPlans = 50

// Acquire finds the run of r's step whose result counts, or creates a new one, by
// the plan of p. An invalid request is an [ErrInvalid] before anything is sent. r must
// not change until Acquire returns: the Job is built when the call has its first slot
// (Options.MaxInFlight).
//
// The existing runs are those in cached, which may prove that a Job exists and never
// that it does not, and in runs. The API server decides about a new run: if its name is
// taken, the runs are read and planned again. After any create error except 429, Acquire
// looks the object up: a lost response may hide a success, and the API server checks
// quota and webhooks before the name, so even 403 and 500 may hide the Job. An object of
// another owner, or a run of another worker group, is an [ErrNameConflict] and is not
// touched. Transient errors are retried within Options.RetryFor; any other one is an
// [*APIError]. If ctx is done, the error wraps its cause and the last response, and says
// whether the Job may exist: a later call then finds it.
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
	return Acquired{}, fmt.Errorf("step %q of execution %s/%s: its Jobs changed %d times while the step chose one: does something else create or delete them?",
		r.Step, r.Execution.Namespace, r.Execution.Name, maxPlans)
}

// acquirer is the state of one Acquire.
type acquirer struct {
	c         *Client
	request   *Request
	runs      *Runs
	cached    []Found
	taken     string          // the name of a create that returned AlreadyExists
	exists    error           // that error
	pauses    backoff.BackOff // between creates that find the name taken, and reads that find it free
	live      *Found          // the Job that was read by name
	fresh     bool            // the list of runs began after this plan
	name      string          // the name of the last create
	unknown   bool            // a create may have taken effect although it failed
	mutations []string        // what the cluster changed in that Job
}

// plan carries out one plan; done is false if the runs have to be planned again.
func (a *acquirer) plan(ctx context.Context, p Policy) (got Acquired, done bool, err error) {
	existing, err := a.existing(ctx)
	if err != nil {
		return Acquired{}, false, err
	}
	d := a.request.Retry.Plan(p, a.request.Attempt, existing)
	switch {
	case d.Retry && !a.fresh: // the failed run may have been canceled since
		a.runs = a.c.NewStepRuns(a.request.Execution, a.request.Step)
		a.again()
		return Acquired{}, false, nil
	case d.Adopt != nil:
		got, err = a.adopt(ctx, *d.Adopt)
		got.Until, got.Backoff, got.Runs = d.Until, d.Backoff, d.Runs
		return got, err == nil, err
	case len(d.Delete)+len(d.Await) > 0:
		return Acquired{}, false, a.makeRoom(ctx, d)
	}
	if len(existing) > 0 && !a.fresh {
		exists, err := a.newestExists(ctx, existing)
		if err != nil {
			return Acquired{}, false, err
		}
		if !exists {
			a.again()
			return Acquired{}, false, nil
		}
	}
	a.request.Run = d.Create
	got, done, err = a.create(ctx)
	got.Runs = d.Runs
	return got, done, err
}

// existing returns the runs of the step that are known.
func (a *acquirer) existing(ctx context.Context) ([]Run, error) {
	r := a.request
	var listed []Found
	a.fresh = false
	if r.Attempt > 0 || a.runs.invalid() || !slices.ContainsFunc(a.cached, a.living) {
		var err error
		if listed, a.fresh, err = a.runs.of(ctx, r.Step); err != nil {
			return nil, err
		}
		if a.fresh { // and complete: a Job that only the cache shows is gone
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
	return a.ofGroup(ctx, all)
}

// living reports whether a cached Job is a run of the step that can be adopted. In the
// first attempt it is: no other attempt is known to this one.
func (a *acquirer) living(f Found) bool {
	run, ok := a.request.runOf(f)
	return ok && !run.Deleting && !run.Recorded
}

// pause backs off before the next create under the same name.
func (a *acquirer) pause(ctx context.Context) error {
	if a.pauses == nil {
		a.pauses = backoff.NewExponentialBackOff(backoff.WithInitialInterval(firstDelay), backoff.WithMultiplier(2),
			backoff.WithMaxInterval(a.c.retries.pause), backoff.WithMaxElapsedTime(a.c.retries.all))
	}
	delay := a.pauses.NextBackOff()
	if delay == backoff.Stop {
		return fmt.Errorf("gave up after %s: %w", a.c.retries.all, a.exists)
	}
	if !pause(ctx, delay) {
		return stopped(ctx, a.exists)
	}
	return nil
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

// adopt compares the specs. From a Job without a record it removes the label that
// hides it from the watch.
func (a *acquirer) adopt(ctx context.Context, run Run) (Acquired, error) {
	r, c := a.request, a.c
	got := Acquired{Run: run, Adopted: true, Mutations: a.mutations}
	if run.Labeled && !run.Recorded {
		if err := c.Unlabel(ctx, r.Execution.Namespace, run.Name, run.UID); err != nil && !errors.Is(err, ErrJobDeleted) {
			return Acquired{}, err
		}
	}
	other := !r.madeFrom(run.SpecHash)
	changed := !run.Recorded && run.Contents != 0 && run.Contents != identity.Contents(&r.Spec.Template.Spec)
	if other || changed {
		live, err := c.Get(ctx, r.Execution.Namespace, run.Name)
		switch {
		case apierrors.IsNotFound(err):
			return Acquired{}, fmt.Errorf("%w: %w", ErrJobDeleted, err)
		case err != nil:
			return Acquired{}, err
		}
		r.Run = run.Number
		drift, err := r.drift(live)
		switch {
		case err != nil:
			return Acquired{}, err
		case other:
			got.Drift = drift
		default:
			got.Mutations = drift
		}
	}
	c.log.DebugContext(ctx, "adopted job", "namespace", r.Execution.Namespace, "name", run.Name, "drift", len(got.Drift))
	return got, nil
}

// makeRoom deletes the runs that must not overlap with a new one, waits until those to
// await are gone or terminal, and invalidates what is known of the runs. A run that has
// finished since it was listed stays: its result may have been returned, and the number of
// the next run must not be used again, since another worker may know the finished run.
func (a *acquirer) makeRoom(ctx context.Context, d Decision) error {
	namespace := a.request.Execution.Namespace
	for _, run := range d.Delete {
		if err := a.c.deleteUnless(ctx, namespace, run.Name, run.UID, a.finished); err != nil {
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

// finished reports whether the run of this step that the Job is has finished.
func (a *acquirer) finished(live *batchv1.Job) bool {
	run, ok := a.request.runOf(find(live))
	return ok && run.finished()
}

// again makes the next plan read the runs. The cache is older than that list.
func (a *acquirer) again() {
	a.cached, a.live = nil, nil
	a.runs.Invalidate()
}

// explain names the object, unless err does, and says whether it may exist.
func (a *acquirer) explain(err error) error {
	namespace := a.request.Execution.Namespace
	if a.name != "" && !strings.Contains(err.Error(), a.name) {
		err = fmt.Errorf("job %s/%s: %w", namespace, a.name, err)
	}
	if a.unknown {
		err = fmt.Errorf("%w; job %s/%s %w", err, namespace, a.name, ErrMayExist)
	}
	return err
}
