package otelkontinue

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/kontinue/kontinue"
)

// traceParentKey is the key of W3C Trace Context.
const traceParentKey = "traceparent"

// startStep begins the span of a step, below that of ctx.
func (t *Telemetry) startStep(ctx context.Context, s kontinue.StepInfo) trace.Span {
	_, span := t.tracer.Start(ctx, "step "+s.Step, trace.WithTimestamp(s.At), trace.WithAttributes(t.attributes...), trace.WithAttributes(
		attribute.String("k8s.namespace.name", s.Namespace),
		attribute.String("cicd.pipeline.task.name", s.Step),
		attribute.String("kontinue.execution.name", s.Owner.Name),
		attribute.String("kontinue.execution.uid", string(s.Owner.UID)),
		attribute.Int("kontinue.execution.attempt", s.Attempt),
	))
	return span
}

// traceParent returns a span's W3C traceparent, or "" if nothing can be linked to it.
func traceParent(c trace.SpanContext) string {
	if !c.IsValid() || !c.IsSampled() {
		return ""
	}
	carrier := propagation.MapCarrier{}
	propagation.TraceContext{}.Inject(trace.ContextWithSpanContext(context.Background(), c), carrier)
	return carrier[traceParentKey]
}

// spanOf returns the span that a traceparent names.
func spanOf(traceParent string) trace.SpanContext {
	carrier := propagation.MapCarrier{traceParentKey: traceParent}
	return trace.SpanContextFromContext(propagation.TraceContext{}.Extract(context.Background(), carrier))
}

// spanStarted notes the Job of a step. If an earlier call created it, the spans of the step and
// of its Execution are linked to that call's.
func spanStarted(state *stepState, s kontinue.StepInfo) {
	state.span.SetAttributes(
		attribute.String("k8s.job.name", s.Job),
		attribute.String("k8s.job.uid", string(s.JobUID)),
		attribute.String("cicd.pipeline.task.run.id", string(s.JobUID)),
		attribute.Int("kontinue.step.run", s.Run),
		attribute.Bool("kontinue.step.adopted", s.Adopted),
	)
	state.span.AddEvent("kontinue.step.started", trace.WithTimestamp(s.At))
	own, creator := state.span.SpanContext(), spanOf(s.TraceParent)
	if !s.Adopted || !creator.IsValid() || creator.SpanID() == own.SpanID() {
		return
	}
	state.span.AddLink(creatorLink(creator))
	if creator.TraceID() != own.TraceID() {
		state.execution.link(creator)
	}
}

// creatorLink is a link to the span of the step that created a Job.
func creatorLink(creator trace.SpanContext) trace.Link {
	return trace.Link{SpanContext: creator, Attributes: []attribute.KeyValue{attribute.String("kontinue.link", "created the job")}}
}

// spanEnded ends the span of a step. Nothing in it quotes the program: the message of a failure
// has the end of its log.
func spanEnded(state *stepState, e kontinue.StepEnd, result string) {
	span := state.span
	defer span.End(trace.WithTimestamp(e.At))
	if !span.IsRecording() {
		return
	}
	for _, stage := range []struct {
		name string
		at   time.Time
	}{
		{"k8s.job.created", e.Times.Created},
		{"k8s.pod.scheduled", e.Times.Scheduled},
		{"k8s.container.started", e.Times.Started},
		{"k8s.container.ended", e.Times.Ended},
	} {
		if !stage.at.IsZero() {
			span.AddEvent(stage.name, trace.WithTimestamp(stage.at))
		}
	}
	span.SetAttributes(attribute.String("cicd.pipeline.task.run.result", result))
	if e.Pod != "" {
		span.SetAttributes(attribute.String("k8s.pod.name", e.Pod), attribute.String("k8s.pod.uid", string(e.PodUID)))
	}
	if e.Container != "" {
		span.SetAttributes(attribute.String("k8s.container.name", e.Container), attribute.Int("process.exit.code", int(e.ExitCode)))
	}
	if result == resultSuccess || result == resultInterrupted {
		return
	}
	reason := e.Reason
	if reason == "" {
		reason = "no result"
	}
	span.SetAttributes(attribute.String("error.type", reason), attribute.String("kontinue.failure.class", string(e.Class)))
	span.SetStatus(codes.Error, reason)
}
