package step

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/pods"
)

// Spec is what one step runs. It must not change until [Run.Start] returns.
type Spec struct {
	// Name is the step's name; empty means its ordinal in the function.
	Name string
	// DisplayName and Description are for people.
	DisplayName, Description string
	// Timeout bounds the Job's run; zero means no bound.
	Timeout time.Duration
	// Job is the spec of the Job.
	Job *batchv1.JobSpec
	// Submitted is what the user gave where Job was made from it, or nil.
	Submitted any
	// Hash stands for the hash of what was submitted: see jobs.Request.
	Hash string
	// Queue is the name of the queue that the Job waits for; empty means none.
	Queue string
	// Labels and Annotations are added to the Job.
	Labels, Annotations map[string]string
	// SecretData is the data of the Secret that the Job's volume SecretVolume shows.
	SecretData   map[string][]byte
	SecretVolume string
	// SinglePod says that the Job makes one pod, whose end is the step's.
	SinglePod bool
	// Until says how much of the end of that pod is waited for.
	Until Until
	// StartLimits take precedence over those of the engine.
	StartLimits starts.Limits
	// Logs, if set, gets the logs of the containers while they run.
	Logs io.Writer
	// Retry says after which failures the step runs again. The zero value means none.
	Retry Retry
	// CancelOnDone stops the Job when the context of the run ends before the step does.
	CancelOnDone bool
}

// Step is one step of a run: a Job, and the wait for its end. Its methods are safe for
// concurrent use.
//
// Thousands of steps wait in a process. A step that waits is this object and its wait, and
// has no goroutine: see turn.go. What made the Job is released before the wait, and the
// contexts of requests exist only while there are requests.
type Step struct {
	engine       *Engine
	run          *Run
	request      *jobs.Request // nil once the Job exists, unless it is inherited or may run again
	name         string
	named        bool
	singlePod    bool
	cancelOnDone bool
	until        Until
	limits       starts.Limits
	containers   []string // the names of those that were submitted
	inherited    bool     // the Job is an earlier attempt's, and the plan saw no record on it
	displayName  string
	id           uint64 // unique in the engine
	began        time.Time
	number       int           // of the run
	queued       time.Duration // for room
	place        *admission    // of the create that has room, or nil
	logs         *stepLogs     // of Spec.Logs; nil without a writer
	drift        []string
	mutations    []string
	runs         int               // of the attempt, with the newest
	parent       string            // the traceparent on the Job
	retries      *retries          // nil unless the step may run again
	release      func(result bool) // see claimName
	timer        *time.Timer       // of the next alarm of the wait
	done         chan struct{}     // closed at the end

	outcome *Outcome // nil until there is one to return
	err     error    // why there is none

	mu        sync.Mutex
	wait      *wait // of the newest Job
	phase     phase
	woken     bool        // while it was turning
	followers []*stepLogs // that observe the pods
}

// Start finds or creates a step's Job. The step that it returns ends by itself.
func (r *Run) Start(spec *Spec) (*Step, error) {
	s, err := r.newStep(spec)
	if err != nil {
		return nil, err
	}
	r.opened(s)
	if r.engine.Recorder != nil {
		r.engine.Recorder.Begin(r.ctx, Begin{Call: s.call(), Run: r.id, Spec: spec, Hash: s.request.SpecHash()})
	}
	s.request.TraceParent = s.trace()
	s.noticeBegan()
	err = s.adoptOrCreate(r.ctx, r.runs)
	if err == nil {
		r.engine.retrying.add(s)
	}
	s.planned(r.ctx, err)
	if err != nil {
		return nil, s.err
	}
	return s, nil
}

// newStep enters the call, claims the name and checks what is to run. The step has
// to be closed.
func (r *Run) newStep(spec *Spec) (_ *Step, err error) {
	if err := r.engine.enterCall(); err != nil {
		return nil, err
	}
	s := &Step{
		engine:       r.engine,
		run:          r,
		id:           r.engine.steps.Add(1),
		named:        spec.Name != "",
		singlePod:    spec.SinglePod,
		cancelOnDone: spec.CancelOnDone,
		until:        spec.untilOf(),
		limits:       r.engine.StartLimits.With(spec.StartLimits),
		containers:   pods.Names(&spec.Job.Template.Spec),
		displayName:  spec.DisplayName,
		began:        time.Now(),
		done:         make(chan struct{}),
		phase:        turning,
	}
	ready := false
	defer func() {
		if !ready {
			s.close(r.ctx)
		}
	}()
	if r.ctx.Err() != nil {
		return nil, endOf(r.ctx)
	}
	if s.name, s.release, err = r.claimName(spec.Name); err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrInvalid, err)
	}
	s.request = &jobs.Request{
		Admit:       s.admit,
		Execution:   r.execution.Execution,
		Owner:       r.execution.Owner,
		Group:       r.engine.Group,
		Step:        s.name,
		Attempt:     r.execution.Attempt,
		DisplayName: spec.DisplayName,
		Description: spec.Description,
		Spec:        *spec.Job,
		Submitted:   spec.Submitted,
		Hash:        spec.Hash,
		Timeout:     spec.Timeout,
		Queue:       spec.Queue,
		Labels:      spec.Labels,
		Annotations: spec.Annotations,

		PodTemplate: r.engine.PodTemplate,
		SecretData:  spec.SecretData, SecretVolume: spec.SecretVolume,
	}
	if spec.SinglePod {
		s.request.Failed = singlePodFailed
	}
	if err := s.request.Validate(); err != nil {
		return nil, err
	}
	if err := s.mayRetry(&spec.Retry); err != nil {
		return nil, err
	}
	if err := spec.StartLimits.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", jobs.ErrInvalid, err)
	}
	if spec.Until < UntilContainers || spec.Until > UntilJob {
		return nil, fmt.Errorf("%w: Until %d is unknown", jobs.ErrInvalid, spec.Until)
	}
	if spec.Logs != nil {
		s.logs = r.engine.newStepLogs(r.ctx, spec.Logs, s.containers, s.singlePod)
		s.followers = []*stepLogs{s.logs}
	}
	ready = true
	return s, nil
}

// singlePodFailed reports whether a record is one of a step whose single pod failed.
func singlePodFailed(r record.Record) bool {
	o := Outcome{Record: r}
	o.decodePods()
	p, err := o.SinglePod()
	return err != nil || !o.SinglePodSucceeded(p)
}

// close ends what the step holds, whatever its result.
func (s *Step) close(ctx context.Context) {
	if s.timer != nil {
		s.timer.Stop()
	}
	if s.wait != nil {
		s.wait.end()
		if s.outcome == nil {
			s.run.runs.Invalidate() // the next call must not believe what this one knew
		}
	}
	if s.logs != nil {
		apicall.Waiting(ctx, func() { s.logs.close(errLogsClosed) })
	}
	s.engine.retrying.remove(s)
	if s.release != nil {
		s.release(s.outcome != nil)
	}
	s.engine.calls.Done()
}

// result is what the step returns once its Job has ended.
func (s *Step) result(ctx context.Context) (o *Outcome, err error) {
	ctx, end := s.engine.requestContext(ctx)
	defer end()
	stored := s.outcome != nil // by an earlier call, unless this one has seen the end of a run
	if o = s.outcome; o == nil {
		if o, err = s.saveOutcome(ctx); err != nil {
			return nil, err
		}
		if s.mayFollow(o) {
			return nil, errFailedRun
		}
	}
	if s.logs != nil && (!stored || s.sawRun()) {
		apicall.Waiting(ctx, func() { o.Logs = s.logs.finish(withoutTurn(ctx)) })
		if err := o.NoPods(); err != nil {
			s.engine.Logger.WarnContext(ctx, "logs of a step are not written", "step", s.name, "error", err)
		}
	}
	o.Runs = s.runs
	if s.engine.Report != nil && (stored || s.retries != nil && o.Failed) {
		r := o.progress()
		r.Resumed = o.Resumed
		apicall.Waiting(ctx, func() { s.report(r) })
	}
	if s.singlePod {
		if _, err := o.SinglePod(); err != nil {
			s.explainLost(ctx, err)
			return nil, err
		}
	}
	return o, nil
}

func (s *Step) explain(err error) error {
	// A request that was under way says only why the context has ended.
	ctx := s.run.ctx
	if end := ctx.Err(); end != nil && !errors.Is(err, end) && errors.Is(err, context.Cause(ctx)) && !errors.Is(err, ErrNotRunning) {
		err = fmt.Errorf("%w: %w", end, err)
	}
	x := s.run.execution
	return fmt.Errorf("step %q of execution %s/%s: %w", s.name, x.Namespace, x.Name, err)
}

func (s *Step) attempt() int { return s.run.execution.Attempt }

func (s *Step) execution() identity.Execution { return s.run.execution.Execution }
