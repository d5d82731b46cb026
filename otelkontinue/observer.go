package otelkontinue

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/kontinue/kontinue"
)

// The keys of the labels.
const (
	keyResult    = "result"
	keyClass     = "class"
	keyAdopted   = "adopted"
	keyDrift     = "drift"
	keyStep      = "step"
	keyVerb      = "verb"
	keyResource  = "resource"
	keyCode      = "code"
	keyFunction  = "function"
	keyNamespace = "namespace"
)

// The values of the label result. Those of a step are the well-known ones of
// cicd.pipeline.task.run.result, and interrupted.
const (
	resultSuccess      = "success"
	resultFailure      = "failure" // the program failed
	resultError        = "error"   // the cluster, or a request
	resultTimeout      = "timeout"
	resultCancellation = "cancellation"
	resultInterrupted  = "interrupted" // the wait ended before the Job
)

// observer is the observer of one client, which calls only traceParent concurrently. A
// Config that is copied makes it that of several.
type observer struct {
	t    *Telemetry
	next kontinue.Observer

	mu    sync.Mutex
	sets  map[setKey]metric.MeasurementOption
	steps map[stepKey]*stepState // that have begun and not ended
}

// stepKey distinguishes the steps of several clients, each of which numbers its own.
type stepKey struct {
	owner, step string
	id          uint64
}

func keyOf(s kontinue.StepInfo) stepKey { return stepKey{string(s.Owner.UID), s.Step, s.ID} }

// stepState is what is known of a step that has not ended.
type stepState struct {
	span      trace.Span
	execution *execution // nil unless StartExecution began it
	began     time.Time
	queued    bool // it waits for room
	waited    bool // it has done so
}

// setKey are the labels of a measurement of a step or of a request. The sets of attributes
// are kept, since there are few of them and each costs more than the measurement.
type setKey struct {
	step, result   string
	class          kontinue.Class
	adopted, drift bool
	kind           setKind

	verb, resource string
	code           int
}

type setKind int

const (
	setStep    setKind = iota // no label but the step's name
	setJob                    // and what the Job is
	setEnd                    // and how it ended
	setRequest                // those of a request
)

// set returns the attributes for labels.
func (o *observer) set(k setKey) metric.MeasurementOption {
	if !o.t.stepNames {
		k.step = ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if set, ok := o.sets[k]; ok {
		return set
	}
	var labels []attribute.KeyValue
	if k.step != "" {
		labels = append(labels, attribute.String(keyStep, k.step))
	}
	switch k.kind {
	case setStep:
	case setJob:
		labels = append(labels, attribute.Bool(keyAdopted, k.adopted), attribute.Bool(keyDrift, k.drift))
	case setEnd:
		labels = append(labels, attribute.String(keyResult, k.result), attribute.String(keyClass, string(k.class)), attribute.Bool(keyAdopted, k.adopted))
	case setRequest:
		code := "none"
		if k.code != 0 {
			code = strconv.Itoa(k.code)
		}
		labels = append(labels, attribute.String(keyVerb, k.verb), attribute.String(keyResource, k.resource), attribute.String(keyCode, code))
	}
	set := o.t.with(labels...)
	o.sets[k] = set
	return set
}

// begin returns the state of a step, which it creates with the step's span.
func (o *observer) begin(ctx context.Context, s kontinue.StepInfo) *stepState {
	o.mu.Lock()
	defer o.mu.Unlock()
	state := o.steps[keyOf(s)]
	if state == nil {
		state = &stepState{began: s.At, execution: executionOf(ctx)}
		state.span = o.t.startStep(ctx, s)
		state.execution.enter()
		o.steps[keyOf(s)] = state
	}
	return state
}

func (o *observer) traceParent(ctx context.Context, s kontinue.StepInfo) string {
	state := o.begin(ctx, s)
	if f := o.next.TraceParent; f != nil {
		return f(ctx, s)
	}
	return traceParent(state.span.SpanContext())
}

func (o *observer) began(ctx context.Context, s kontinue.StepInfo) {
	o.begin(ctx, s)
	o.t.stepsActive.Add(ctx, 1, o.set(setKey{step: s.Step}))
	if f := o.next.StepBegan; f != nil {
		f(ctx, s)
	}
}

func (o *observer) queued(ctx context.Context, s kontinue.StepInfo) {
	state := o.begin(ctx, s)
	if !state.queued {
		state.queued, state.waited = true, true
		o.t.stepsQueued.Add(ctx, 1, o.set(setKey{step: s.Step}))
	}
	state.span.AddEvent("kontinue.step.queued", trace.WithTimestamp(s.At))
	if f := o.next.StepQueued; f != nil {
		f(ctx, s)
	}
}

// unqueue ends the wait for room.
func (o *observer) unqueue(ctx context.Context, state *stepState, step string) {
	if state.queued {
		state.queued = false
		o.t.stepsQueued.Add(ctx, -1, o.set(setKey{step: step}))
	}
}

func (o *observer) started(ctx context.Context, s kontinue.StepInfo) {
	state := o.begin(ctx, s)
	o.unqueue(ctx, state, s.Step)
	o.t.stepJobs.Add(ctx, 1, o.set(setKey{kind: setJob, step: s.Step, adopted: s.Adopted, drift: len(s.Drift) > 0}))
	spanStarted(state, s)
	if f := o.next.StepStarted; f != nil {
		f(ctx, s)
	}
}

func (o *observer) ended(ctx context.Context, e kontinue.StepEnd) {
	state := o.begin(ctx, e.StepInfo)
	o.mu.Lock()
	delete(o.steps, keyOf(e.StepInfo))
	o.mu.Unlock()
	o.unqueue(ctx, state, e.Step)
	result, step := resultOf(e), o.set(setKey{step: e.Step})
	o.t.stepsActive.Add(ctx, -1, step)
	o.t.stepDuration.Record(ctx, seconds(e.At.Sub(state.began)),
		o.set(setKey{kind: setEnd, step: e.Step, result: result, class: e.Class, adopted: e.Adopted}))
	if state.waited {
		o.t.stepQueue.Record(ctx, seconds(e.Queued), step)
	}
	o.stages(ctx, e, e.At.Sub(state.began), step)
	spanEnded(state, e, result)
	state.execution.leave()
	if f := o.next.StepEnded; f != nil {
		f(ctx, e)
	}
}

// stages records how long each stage of the Job took. Those of a Job that had ended before
// the call are not recorded: the call that has seen its end, in another process perhaps, did.
func (o *observer) stages(ctx context.Context, e kontinue.StepEnd, call time.Duration, step metric.MeasurementOption) {
	t, stages := e.Times, &o.t.instruments
	if e.Woken.IsZero() || e.Adopted && e.Woken.Sub(t.Ended) > call+time.Second {
		return
	}
	for _, stage := range []struct {
		from, to time.Time
		in       metric.Float64Histogram
	}{
		{t.Created, t.Scheduled, stages.stepPending},
		{t.Scheduled, t.Started, stages.stepPull},
		{t.Started, t.Ended, stages.stepRun},
		{t.Ended, e.Woken, stages.stepDetect},
	} {
		if !stage.from.IsZero() && !stage.to.IsZero() {
			stage.in.Record(ctx, seconds(stage.to.Sub(stage.from)), step)
		}
	}
}

func (o *observer) requestDone(r kontinue.RequestInfo) {
	set := o.set(setKey{kind: setRequest, verb: r.Verb, resource: r.Resource, code: r.Code})
	o.t.requestDuration.Record(context.Background(), seconds(r.Duration), set)
	if f := o.next.RequestDone; f != nil {
		f(r)
	}
}

// seconds returns a duration that is not negative: the clocks of two nodes may differ, and
// one that is known late may be behind by a second.
func seconds(d time.Duration) float64 { return max(d, 0).Seconds() }

// resultOf returns how a step ended.
func resultOf(e kontinue.StepEnd) string {
	switch {
	case e.State == kontinue.StepSucceeded:
		return resultSuccess
	case e.State == "" && interrupted(e.Err):
		return resultInterrupted
	case e.Class == kontinue.ClassUser:
		return resultFailure
	case e.Class == kontinue.ClassTimeout, e.State == "" && errors.Is(e.Err, kontinue.ErrDeadlineExceeded):
		return resultTimeout
	case e.Class == kontinue.ClassCanceled, e.State == "" && errors.Is(e.Err, kontinue.ErrCanceled):
		return resultCancellation
	default:
		return resultError
	}
}

// interrupted reports whether an error means that only the wait has ended: the function can
// be run again.
func interrupted(err error) bool {
	ended := errors.Is(err, kontinue.ErrNotRunning) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	return ended && !errors.Is(err, kontinue.ErrCanceled)
}
