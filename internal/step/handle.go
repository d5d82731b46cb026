package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/watch"
)

// Name returns the step's name.
func (s *Step) Name() string { return s.name }

// Job returns namespace and name of the step's newest Job.
func (s *Step) Job() (namespace, name string) {
	_, job := s.current()
	return job.namespace, job.name
}

// Done returns a channel that is closed when the step has ended.
func (s *Step) Done() <-chan struct{} { return s.done }

// Wait returns what the step ended with, when it has ended. The end of ctx ends the call
// and not the step.
func (s *Step) Wait(ctx context.Context) (*Outcome, error) {
	select {
	case <-s.done:
		return s.outcome, s.err
	default:
	}
	select {
	case <-s.done:
		return s.outcome, s.err
	case <-ctx.Done():
		_, job := s.current()
		return nil, s.explain(errStillRunning(s.execution().Namespace, job.name, endOf(ctx)))
	}
}

// current returns the wait for the newest Job, and the Job; nil before there is one.
func (s *Step) current() (*wait, jobRef) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wait == nil {
		return nil, jobRef{}
	}
	return s.wait, s.wait.jobRef
}

// Progress returns the state of the step. It sends no request.
func (s *Step) Progress() Report {
	r := Report{State: Pending}
	w, job := s.current()
	select {
	case <-s.done:
		if s.outcome != nil {
			r = s.outcome.progress()
			break
		}
		w.future.Do(func() { r = w.state.progress() })
	default:
		w.future.Do(func() { r = w.state.progress() })
		r = s.beforeNext(r)
	}
	r.Job, r.Resumed = job.name, job.resumed
	return s.identify(r)
}

// Cancel stops the step's Job for good. The step ends when the Job has ended. One that backs
// off ends with the run that has failed.
func (s *Step) Cancel(ctx context.Context) error {
	select {
	case <-s.done:
		if s.outcome != nil {
			return nil // there is nothing to stop
		}
	default:
	}
	if s.engine.Recorder != nil {
		s.engine.Recorder.Cancel(s.id)
	}
	ctx, end, err := s.engine.beginCall(ctx)
	if err != nil {
		return s.explain(err)
	}
	defer end()
	release, err := s.hold(ctx)
	if err != nil {
		return s.explain(err)
	}
	defer release()
	if err := s.cancelJob(ctx); err != nil {
		return s.explain(err)
	}
	return nil
}

// cancelJob stops the step's Job, and that of a create whose answer is not known. No other
// run follows one that has ended.
func (s *Step) cancelJob(ctx context.Context) error {
	_, ref := s.current()
	if ref.uid == "" {
		return s.engine.cancel(ctx, s.execution(), func(job *batchv1.Job) bool { return identity.MetadataOf(job).Step == s.name })
	}
	if err := s.engine.Jobs.Cancel(ctx, ref.namespace, ref.name, ref.uid); err != nil && !errors.Is(err, jobs.ErrJobDeleted) {
		return err
	}
	return nil
}

// Logs writes the logs of the containers that the step submitted, or of the named one, to
// out as Spec.Logs does, and returns when they are written to their ends. The end of ctx
// ends the call.
func (s *Step) Logs(ctx context.Context, out io.Writer, container string) error {
	ctx, end, err := s.engine.beginCall(ctx)
	if err != nil {
		return s.explain(err)
	}
	defer end()
	l := s.engine.newStepLogs(ctx, out, s.containers, s.singlePod)
	l.only = container
	defer l.close(errLogsClosed)
	s.attach(l)
	defer s.detach(l)
	select {
	case <-s.done:
	case <-ctx.Done():
		return s.explain(endOf(ctx))
	}
	if s.outcome != nil {
		for _, p := range s.outcome.Pods {
			pod := s.outcome.Object(p)
			l.observe(podState{Pod: watch.NewPod(pod), deleted: p.Deleted})
		}
	}
	select {
	case <-l.rest():
	case <-ctx.Done():
		return s.explain(endOf(ctx))
	}
	err = l.failure()
	if errors.Is(err, logs.ErrGone) && s.outcome.NoPods() != nil {
		err = s.outcome.NoPods()
	}
	if err != nil {
		return s.explain(err)
	}
	return nil
}

// rest is wait for a step that has ended, of whose pods nothing more becomes known: of a
// container that is not known to have ended, only what it has written by now is read.
func (l *stepLogs) rest() <-chan struct{} {
	ended := l.wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, followers := range l.pods {
		for _, f := range followers {
			f.state.Over = true
			f.source.Set(f.state)
		}
	}
	return ended
}

// attach has l observe the step's pods.
func (s *Step) attach(l *stepLogs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followers = append(slices.Clip(s.followers), l)
	w := s.wait
	w.future.Do(func() {
		w.logs = s.followers
		w.observeAllLogs()
	})
}

func (s *Step) detach(l *stepLogs) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.followers = slices.DeleteFunc(slices.Clone(s.followers), func(other *stepLogs) bool { return other == l })
	w := s.wait
	w.future.Do(func() { w.logs = s.followers })
}

// failure is why the logs were not written to their ends, or nil.
func (l *stepLogs) failure() error {
	reports := l.reports()
	for _, report := range reports {
		if report.Err != nil {
			return report.Err
		}
	}
	switch {
	case len(reports) == 0:
		return fmt.Errorf("%w: no pod of the step is known", logs.ErrGone)
	case l.count == 0 && l.only != "":
		return fmt.Errorf("%w: %q has not run in a pod of the step", logs.ErrContainerUnknown, l.only)
	}
	return nil
}
