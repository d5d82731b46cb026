package step

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/jobs"
)

// Retry says after which failures a step runs again in the same attempt.
type Retry struct {
	// Limit is how many runs may follow failures of the Classes. Default for Classes: User.
	Limit   int
	Classes []causes.Class
	// Infrastructure is how many runs may follow failures of the classes Infrastructure and
	// Capacity, which do not count towards Limit.
	Infrastructure int
	// Backoff is how long after the end of the first failed run the next one follows. It
	// doubles with each. Default: defaultBackoff.
	Backoff time.Duration
}

// defaultBackoff is that of the Job controller between two pods.
const defaultBackoff = 10 * time.Second

// The kinds of failures that jobs.Retry has limits for.
const (
	neverRetried = iota
	byClass
	byInfrastructure
)

// on reports whether the step may run again at all.
func (r *Retry) on() bool { return r.Limit > 0 || r.Infrastructure > 0 }

// Validate returns an error that says what is wrong.
func (r *Retry) Validate() error {
	switch {
	case r.Limit < 0 || r.Infrastructure < 0 || r.Backoff < 0:
		return fmt.Errorf("%w: Retry: Limit %d, Infrastructure %d and Backoff %s must not be negative", jobs.ErrInvalid, r.Limit, r.Infrastructure, r.Backoff)
	case len(r.Classes) > 0 && r.Limit == 0:
		return fmt.Errorf("%w: Retry: Classes without a Limit have no effect", jobs.ErrInvalid)
	case r.Backoff > 0 && !r.on():
		return fmt.Errorf("%w: Retry: a Backoff without a Limit has no effect", jobs.ErrInvalid)
	}
	for _, c := range r.Classes {
		switch c {
		case causes.User, causes.Config, causes.Timeout:
		case causes.Infrastructure, causes.Capacity:
			return fmt.Errorf("%w: Retry: failures of class %s have a limit of their own, Retry.Infrastructure", jobs.ErrInvalid, c)
		case causes.Canceled:
			return fmt.Errorf("%w: Retry: a step that was canceled does not run again", jobs.ErrInvalid)
		default:
			return fmt.Errorf("%w: Retry: class %q is unknown", jobs.ErrInvalid, c)
		}
	}
	return nil
}

// plan is the part of it that the plan of the runs needs.
func (r *Retry) plan(singlePod bool, now func() time.Time) *jobs.Retry {
	classes := slices.Clone(r.Classes)
	if len(classes) == 0 {
		classes = []causes.Class{causes.User}
	}
	p := &jobs.Retry{Limits: []int{r.Limit, r.Infrastructure}, Backoff: r.Backoff, Now: now}
	if p.Backoff == 0 {
		p.Backoff = defaultBackoff
	}
	p.Kind = func(rec record.Record) int {
		switch class := classOf(rec, singlePod); {
		case slices.Contains(classes, class):
			return byClass
		case class == causes.Infrastructure, class == causes.Capacity:
			return byInfrastructure
		}
		return neverRetried
	}
	return p
}

// classOf is the class of the failure that a record says: that of the error of the step's
// result.
func classOf(r record.Record, singlePod bool) causes.Class {
	o := Outcome{Record: r}
	o.decodePods()
	o.rankRest()
	pod, _ := o.Cause()
	if singlePod {
		pod, _ = o.SinglePod()
	}
	return causes.Of(o.End(), pod).Class
}

// mayRetry prepares the step for running again.
func (s *Step) mayRetry(r *Retry) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if !r.on() {
		return nil
	}
	s.retries = &retries{}
	s.request.Retry = r.plan(s.singlePod, s.now)
	return keepRequest(s.request)
}

// mayFollow reports whether the step has to plan after the end of a run, and keeps o for the
// case that no other run follows.
func (s *Step) mayFollow(o *Outcome) bool {
	if s.retries == nil || !o.recorded || !s.failed(o) {
		return false
	}
	s.retries.last, s.retries.lastUID = o, s.wait.uid
	return true
}

// sawRun reports whether this call has seen the end of a run.
func (s *Step) sawRun() bool { return s.retries != nil && s.retries.last != nil }

// sawEndOf reports whether the last run of which this call has seen the end is that of a Job.
func (s *Step) sawEndOf(job types.UID) bool { return s.sawRun() && s.retries.lastUID == job }

// failed reports whether the step failed.
func (s *Step) failed(o *Outcome) bool {
	if !s.singlePod {
		return o.Failed
	}
	p, err := o.SinglePod()
	return err != nil || !o.SinglePodSucceeded(p)
}

// keepRequest makes the request independent of what the caller may change when Start has
// returned: it is needed for each run.
func keepRequest(r *jobs.Request) error {
	r.Spec = *r.Spec.DeepCopy()
	r.Labels, r.Annotations = maps.Clone(r.Labels), maps.Clone(r.Annotations)
	if r.Submitted == nil {
		return nil
	}
	text, err := json.Marshal(r.Submitted) // which has the same hash
	if err != nil {
		return fmt.Errorf("%w: the spec cannot be encoded: %w", jobs.ErrInvalid, err)
	}
	r.Submitted = json.RawMessage(text)
	return nil
}
