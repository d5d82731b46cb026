package step

import (
	"context"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/identity"
)

// Observer has the functions that are called with what happens to the steps of an engine:
// one call at a time, in the order in which it happened, and later than that. Each may be
// nil. No step waits for them, and a panic is logged.
type Observer struct {
	// TraceParent returns the W3C traceparent of a step, or "". It is called before Began,
	// and unlike the others by the step, which waits for it.
	TraceParent func(context.Context, Call) string
	// Began is called for each step whose input was in order, before any request.
	Began func(context.Context, Call)
	// Queued is called when the step has to wait for room: see Parts.MaxRunning.
	Queued func(context.Context, Call)
	// Started is called each time that a step has its Job, created or found.
	Started func(context.Context, Start)
	// Ended is called once for each step that began.
	Ended func(context.Context, End)
}

// Call identifies a step in this process.
type Call struct {
	// ID is unique among the steps of an engine.
	ID uint64
	// Execution is the one that the step belongs to.
	Execution Execution
	// Step is the step's name, DisplayName its title.
	Step, DisplayName string
	// At is when it happened, by the clock of this process.
	At time.Time
}

// Begin is a step that begins.
type Begin struct {
	Call
	// Run identifies the run of the function, whichever its context is.
	Run uint64
	// Spec is what the step runs, and Hash that of what was submitted.
	Spec *Spec
	Hash string
}

// Start is a step that has its Job.
type Start struct {
	Call
	// Job is the name of the Job, and UID its UID.
	Job string
	UID types.UID
	// Run is the number of the Job among those of the step.
	Run int
	// Adopted reports whether the Job existed already.
	Adopted bool
	// Drift lists how the Job that was adopted differs from what was submitted.
	Drift []string
	// Queued is how long the step has waited for room.
	Queued time.Duration
	// TraceParent is that of the step that created the Job; empty without one.
	TraceParent string
}

// End is the end of a step.
type End struct {
	// Start is the last one, or one without a Job.
	Start
	// SinglePod reports whether the end of the step is that of its only pod.
	SinglePod bool
	// Outcome is what the step ended with; nil with an Err.
	Outcome *Outcome
	// Err is why it has no result.
	Err error
	// Woken is when the step ended, by the clock of the cluster. It is zero unless this call
	// has seen the end of the Job.
	Woken time.Time
}

// Recorder has the functions that are called with what happens to the steps, when it happens
// and from the goroutine of that. They must not block.
type Recorder interface {
	// Begin is called for each step whose input was in order, before any request. It must not
	// change the spec.
	Begin(context.Context, Begin)
	// Cancel is called when a step is to be canceled.
	Cancel(id uint64)
	// End is called once for each of them, before anybody who waits has the result.
	End(End)
}

// Notices calls the functions of an observer, one after the other, from the goroutine of a
// turn that has ended, or from one that exists while there is something to call them with.
// Create it with [NewNotices].
type Notices struct {
	log *slog.Logger

	mu      sync.Mutex
	pending []func()
	calling bool
	calls   sync.WaitGroup
}

// NewNotices returns a Notices that logs the panics of the functions.
func NewNotices(log *slog.Logger) *Notices { return &Notices{log: log} }

// Post has call called after all that was posted before. It does not block.
func (n *Notices) Post(call func()) { n.post(call, true) }

// PostFrom is Post for what happened under ctx. With the context of a turn, the call is made
// at the end of the turn, or with the next Post before that: waking a thread for each request
// takes more CPU than most observers do.
func (n *Notices) PostFrom(ctx context.Context, call func()) {
	n.post(call, ctx.Value(turnKey{}) == nil)
}

func (n *Notices) post(call func(), now bool) {
	n.mu.Lock()
	n.pending = append(n.pending, call)
	n.mu.Unlock()
	if now {
		n.start()
	}
}

// start makes the calls that are pending in another goroutine, for which wait waits.
func (n *Notices) start() {
	if n.begin() {
		go n.finish()
	}
}

// deliver makes the calls that are pending by way of outside, unless a goroutine is making
// them.
func (n *Notices) deliver(outside func(func())) {
	if n.begin() {
		outside(n.finish)
	}
}

// begin reports whether calls are pending that no goroutine is making. If so, the caller must
// call finish.
func (n *Notices) begin() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.calling || len(n.pending) == 0 {
		return false
	}
	n.calling = true
	n.calls.Add(1)
	return true
}

// finish makes the calls that are pending, until there are none.
func (n *Notices) finish() {
	defer n.calls.Done()
	n.work()
}

// turnKey is the key of the context of requests in a turn that delivers the notices when it
// ends.
type turnKey struct{}

func withTurn(ctx context.Context) context.Context { return context.WithValue(ctx, turnKey{}, true) }

// withoutTurn returns the context of what a turn waits for by way of outside.
func withoutTurn(ctx context.Context) context.Context {
	return context.WithValue(ctx, turnKey{}, nil)
}

func (n *Notices) work() {
	for {
		n.mu.Lock()
		calls := n.pending
		n.pending, n.calling = nil, len(calls) > 0
		n.mu.Unlock()
		if len(calls) == 0 {
			return
		}
		for _, call := range calls {
			n.call(call)
		}
	}
}

func (n *Notices) call(call func()) {
	defer func() {
		if v := recover(); v != nil {
			n.log.Error("observer panicked", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	call()
}

// wait returns when all that was posted is delivered.
func (n *Notices) wait() {
	n.start()
	n.calls.Wait()
}

// call identifies the step, as of now.
func (s *Step) call() Call {
	return Call{ID: s.id, Execution: s.run.execution, Step: s.name, DisplayName: s.displayName, At: time.Now()}
}

// trace returns the traceparent of the step for its Job.
func (s *Step) trace() (parent string) {
	f := s.engine.Observer.TraceParent
	if f == nil {
		return ""
	}
	s.engine.Notices.call(func() { parent = f(s.run.ctx, s.call()) })
	if parent != "" && identity.TraceParent(parent) == "" {
		s.engine.Logger.Error("traceparent of a step is not of the form of W3C Trace Context and is left out", "step", s.name)
		return ""
	}
	return parent
}

func (s *Step) noticeBegan() { s.notice(s.engine.Observer.Began) }

func (s *Step) noticeQueued() { s.notice(s.engine.Observer.Queued) }

func (s *Step) notice(f func(context.Context, Call)) {
	if f != nil {
		ctx, c := s.run.ctx, s.call()
		s.engine.Notices.Post(func() { f(ctx, c) })
	}
}

func (s *Step) noticeStarted() {
	if f := s.engine.Observer.Started; f != nil {
		ctx, start := s.run.ctx, s.start()
		s.engine.Notices.Post(func() { f(ctx, start) })
	}
}

func (s *Step) start() Start {
	start := Start{Call: s.call(), Run: s.number, Drift: s.drift, Queued: s.queued, TraceParent: s.parent}
	if w := s.wait; w != nil {
		start.Job, start.UID, start.Adopted = w.name, w.uid, w.resumed
	}
	return start
}

// noticeEnded keeps the place of the end among the notices: a caller that has the result may
// begin the next step at once. The function is called when the step is done, since it may
// have the handle looked at.
func (s *Step) noticeEnded(ctx context.Context) {
	f, recorder := s.engine.Observer.Ended, s.engine.Recorder
	if f == nil && recorder == nil {
		return
	}
	end := End{Start: s.start(), SinglePod: s.singlePod, Outcome: s.outcome, Err: s.err}
	if s.outcome != nil && s.wait != nil && s.wait.ended != nil {
		end.Woken = s.engine.Clock.now()
	}
	if recorder != nil {
		recorder.End(end)
	}
	if f != nil {
		s.engine.Notices.PostFrom(ctx, func() {
			<-s.done
			f(s.run.ctx, end)
		})
	}
}
