package step

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/watch"
)

// Status is a run of a step, by what its Job says.
type Status struct {
	// Step is the step's name, DisplayName its title.
	Step, DisplayName string
	// Attempt of the Execution that created the Job, and number of the run.
	Attempt, Run int
	// State is that of the Job.
	State State
	// Reason and Message explain the state of a run that has not ended.
	Reason, Message string
	// Outcome is that of the record or, without one, what the Job and the Pods in the cache
	// show so far.
	Outcome *Outcome
	// Recorded reports whether the result is recorded.
	Recorded bool
}

// Steps reads the Execution's Jobs, of every worker group, with one LIST, and returns the
// runs of its steps: steps in the order in which they began, and the runs of a step by
// their number. The engine need not be started; the cache of one that is has the Pods of
// Jobs without a record.
func (e *Engine) Steps(ctx context.Context, execution identity.Execution) ([]Status, error) {
	ctx, end, err := e.beginQuery(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	list, err := e.Jobs.List(ctx, execution.Namespace, identity.ExecutionSelector(execution.UID))
	if err != nil {
		return nil, err
	}
	var all []Status
	for i := range list {
		job := watch.NewJob(&list[i])
		e.Clock.observeJob(job)
		if s, ok := statusOf(execution, &list[i], e.Watcher.Pods(job.Namespace, job.UID)); ok {
			all = append(all, s)
		}
	}
	sortStatuses(all)
	return all, nil
}

// beginQuery admits a call that needs no watch, until end is called.
func (e *Engine) beginQuery(ctx context.Context) (_ context.Context, end func(), _ error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.state == stopped {
		return nil, nil, errStopped
	}
	e.calls.Add(1)
	ctx, done := e.requestContext(ctx)
	return ctx, func() {
		done()
		e.calls.Done()
	}, nil
}

// statusOf returns what a Job says of the run that it is. It returns false for one that is
// not a run of the Execution, such as a copy made by hand.
func statusOf(x identity.Execution, job *batchv1.Job, cached []*watch.Pod) (Status, bool) {
	m := identity.MetadataOf(job)
	run, ok := identity.RunOf(x, m.Step, job.Name)
	owner := metav1.GetControllerOfNoCopy(job)
	if !ok || owner == nil || owner.UID != x.UID {
		return Status{}, false
	}
	out := Status{
		Step: m.Step, DisplayName: job.Annotations[identity.AnnotationDisplayName],
		Attempt: m.Attempt, Run: run, Recorded: record.Readable(m.Record),
	}
	if out.Recorded {
		if o, err := decode(job.Namespace, job.Name, m.Record, cached); err == nil {
			out.State, out.Outcome = o.progress().State, o
			return out, true
		}
	}
	// Whether the step waits for the Job or for its containers only is not known.
	s := state{until: UntilJob}
	s.take(watch.NewJob(job))
	for _, p := range cached {
		s.applyPod(p, false)
	}
	out.Outcome = s.outcome(m.Attempt, time.Time{})
	if s.status().Terminal {
		out.State = out.Outcome.progress().State
		return out, true
	}
	r := s.progress()
	out.State, out.Reason, out.Message = r.State, r.Reason, r.Message
	if len(s.pods) == 0 && r.State == Pending && podsRun(&job.Status) {
		out.State = Running
	}
	return out, true
}

// podsRun reports whether a Job counts pods that run, or have run just now. It counts those
// that have not started as active too.
func podsRun(s *batchv1.JobStatus) bool {
	uncounted := s.UncountedTerminatedPods
	return s.Ready != nil && *s.Ready > 0 || uncounted != nil && len(uncounted.Succeeded)+len(uncounted.Failed) > 0
}

// sortStatuses sorts by step, in the order of the creation of its first run that is left,
// and by run.
func sortStatuses(all []Status) {
	began := make(map[string]time.Time, len(all))
	for _, s := range all {
		if t, ok := began[s.Step]; !ok || s.Outcome.Created.Before(t) {
			began[s.Step] = s.Outcome.Created
		}
	}
	slices.SortFunc(all, func(a, b Status) int {
		return cmp.Or(began[a.Step].Compare(began[b.Step]), compareNames(a.Step, b.Step), cmp.Compare(a.Run, b.Run))
	})
}

// compareNames compares names of steps, of which step-2 comes before step-10: Kubernetes
// has whole seconds, in which a function may begin many.
func compareNames(a, b string) int {
	const digits = "0123456789"
	if strings.TrimRight(a, digits) == strings.TrimRight(b, digits) {
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	}
	return strings.Compare(a, b)
}
