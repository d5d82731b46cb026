package flight

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/kontinue/kontinue/internal/redact"
	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/jobs"
)

// openStep is a step that has begun and not ended.
type openStep struct {
	secrets redact.Secrets
	release func() bool // of its context
	over    func()      // notes the end of that, once
}

// Begin notes that a step begins. It is called before the step sends anything.
func (r *Recorder) Begin(ctx context.Context, b step.Begin) {
	spec := b.Spec
	line := &Step{
		Run: b.Run, Execution: b.Execution, Name: b.Step, Unnamed: spec.Name == "", Hash: r.Word(b.Hash), Job: spec.Job.DeepCopy(),
		SinglePod: spec.SinglePod, Until: spec.Until, Timeout: spec.Timeout, StartLimits: maps.Clone(spec.StartLimits), Retry: spec.Retry,
		Queue: spec.Queue, Labels: maps.Clone(spec.Labels), Annotations: maps.Clone(spec.Annotations),
		SecretVolume: spec.SecretVolume, CancelOnDone: spec.CancelOnDone, Logs: spec.Logs != nil,
	}
	for key := range spec.SecretData {
		line.SecretKeys = append(line.SecretKeys, r.Word(key)) // as in the items of the volume
	}
	slices.Sort(line.SecretKeys)
	secrets := secretsOf(&spec.Job.Template)
	r.Scrub(line.Job, secrets)
	r.ScrubLabels(line.Labels)
	r.scrubAnnotations(line.Annotations, secrets)
	over := sync.OnceFunc(func() {
		r.add(Line{Kind: KindCanceled, StepID: b.ID, Error: r.failure(contextError(ctx), nil)})
	})
	r.add(Line{Kind: KindBegin, StepID: b.ID, Step: line})
	release := context.AfterFunc(ctx, over)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps[b.ID] = &openStep{secrets, release, over}
}

// contextError is the error of a context with its cause.
func contextError(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, ctx.Err()) {
		return errors.Join(ctx.Err(), cause)
	}
	return ctx.Err()
}

// Ended notes that a step has ended. err is why it has no result.
func (r *Recorder) Ended(id uint64, end End, err error) {
	r.mu.Lock()
	s := r.steps[id]
	r.mu.Unlock()
	if !s.release() { // the context has ended, which may be why the step has
		s.over()
	}
	if err != nil {
		end.Text, end.Is = r.secrets().Hide(err.Error()), Names(err)
	}
	r.add(Line{Kind: KindEnd, StepID: id, End: &end})
	r.mu.Lock()
	delete(r.steps, id)
	r.mu.Unlock()
}

// named are the errors without a result that a caller tests for.
var named = []struct {
	name string
	err  error
}{
	{"ErrInvalid", jobs.ErrInvalid},
	{"ErrNotRunning", step.ErrNotRunning},
	{"ErrNameConflict", jobs.ErrNameConflict},
	{"ErrSpecDrift", step.ErrSpecDrift},
	{"ErrJobDeleted", jobs.ErrJobDeleted},
	{"ErrPodLost", step.ErrPodLost},
	{"ErrDeadlineExceeded", step.ErrDeadlineExceeded},
	{"ErrCanceled", step.ErrCanceled},
	{"context.Canceled", context.Canceled},
	{"context.DeadlineExceeded", context.DeadlineExceeded},
}

// Names returns the names of the errors that an error wraps, of those a caller tests for.
func Names(err error) (names []string) {
	for _, n := range named {
		if errors.Is(err, n.err) {
			names = append(names, n.name)
		}
	}
	return names
}

// EndError is the error of a step that was recorded without a result. It wraps the errors
// of these names.
func EndError(text string, names []string) error {
	e := &endError{text: text}
	for _, n := range named {
		if slices.Contains(names, n.name) {
			e.errs = append(e.errs, n.err)
		}
	}
	return e
}

type endError struct {
	text string
	errs []error
}

func (e *endError) Error() string   { return e.text }
func (e *endError) Unwrap() []error { return e.errs }

// Call notes a call of a method of the client for an Execution.
func (r *Recorder) Call(method string, x step.Execution) {
	r.add(Line{Kind: KindCall, Call: method, Execution: &x})
}

// Cancel notes that a step is to be canceled.
func (r *Recorder) Cancel(id uint64) { r.add(Line{Kind: KindCancel, StepID: id}) }

// secrets are those of the steps that are open, and of the template of the Config.
func (r *Recorder) secrets() redact.Secrets {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := slices.Clone(r.base)
	for _, s := range r.steps {
		all = append(all, s.secrets...)
	}
	return all
}
