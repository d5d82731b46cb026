package otelkontinue

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/kontinue/kontinue"
)

// StartExecution begins the span of one run of an Execution's function, below that of ctx,
// and counts it. The context that it returns is for [kontinue.Client.NewExecutionContext]:
// the spans of the steps are then below this one. function is the name of the function, a
// label of the metrics. The caller calls end with the result of the function, once. With an
// error of the end of the context or of the client the Execution has not completed: it is
// counted when it does.
func (t *Telemetry) StartExecution(ctx context.Context, function string, x kontinue.Execution) (_ context.Context, end func(error)) {
	began := time.Now()
	ctx, span := t.tracer.Start(ctx, "execution "+function, trace.WithTimestamp(began), trace.WithSpanKind(trace.SpanKindServer),
		trace.WithAttributes(t.attributes...), trace.WithAttributes(
			attribute.String("k8s.namespace.name", x.Namespace),
			attribute.String("cicd.pipeline.name", function),
			attribute.String("cicd.pipeline.run.id", string(x.Owner.UID)),
			attribute.String("kontinue.execution.kind", x.Owner.Kind),
			attribute.String("kontinue.execution.name", x.Owner.Name),
			attribute.String("kontinue.execution.uid", string(x.Owner.UID)),
			attribute.Int("kontinue.execution.attempt", x.Attempts),
			attribute.Int("kontinue.execution.resumptions", x.Resumptions),
		))
	e := &execution{span: span, linked: map[trace.TraceID]bool{}}
	running := t.with(attribute.String(keyFunction, function), attribute.String(keyNamespace, x.Namespace))
	t.executionsRunning.Add(ctx, 1, running)
	var once sync.Once
	return context.WithValue(ctx, executionKey{}, e), func(err error) {
		once.Do(func() {
			ended := time.Now()
			t.executionsRunning.Add(ctx, -1, running)
			result := executionResult(ctx, err)
			if result != resultInterrupted {
				t.executionLatency.Record(ctx, seconds(ended.Sub(began)), running)
				t.executionsCompleted.Add(ctx, 1, t.with(attribute.String(keyFunction, function), attribute.String(keyResult, result)))
			}
			span.SetAttributes(attribute.String("cicd.pipeline.result", result))
			if result == resultError {
				span.SetStatus(codes.Error, "") // the text of the error may quote a log
			}
			e.end(ended)
		})
	}
}

func executionResult(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return resultSuccess
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil: // of a deadline within the function
		return resultError
	case interrupted(err):
		return resultInterrupted
	default:
		return resultError
	}
}

type executionKey struct{}

// executionOf returns the execution that StartExecution put into the context, or nil.
func executionOf(ctx context.Context) *execution {
	e, _ := ctx.Value(executionKey{}).(*execution)
	return e
}

// execution is one run of a function. Its span ends when the function has returned and the
// client has reported the ends of its steps, which comes later: they may add links to it. A
// nil execution has no span.
type execution struct {
	span trace.Span

	mu     sync.Mutex
	steps  int // that are not reported yet
	ended  time.Time
	linked map[trace.TraceID]bool
}

func (e *execution) enter() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.steps++
}

func (e *execution) leave() {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.steps--
	e.close()
}

func (e *execution) end(at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.ended = at
	e.close()
}

// close ends the span if nothing more can come. The caller holds the lock.
func (e *execution) close() {
	if e.steps == 0 && !e.ended.IsZero() {
		e.span.End(trace.WithTimestamp(e.ended))
	}
}

// link links the span to an earlier run of the function, once.
func (e *execution) link(creator trace.SpanContext) {
	if e == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.linked[creator.TraceID()] {
		e.linked[creator.TraceID()] = true
		e.span.AddLink(creatorLink(creator))
	}
}
