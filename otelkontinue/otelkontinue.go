package otelkontinue

import (
	"context"
	"fmt"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/kontinue/kontinue"
)

// scope is the name of the meter and of the tracer.
const scope = "github.com/kontinue/kontinue/otelkontinue"

// Option is an option of [New].
type Option func(*options)

type options struct {
	meters     metric.MeterProvider
	tracers    trace.TracerProvider
	attributes []attribute.KeyValue
	stepNames  bool
}

// WithMeterProvider sets where the metrics come from. Default: the global provider.
func WithMeterProvider(p metric.MeterProvider) Option { return func(o *options) { o.meters = p } }

// WithTracerProvider sets where the spans come from. Default: the global provider.
func WithTracerProvider(p trace.TracerProvider) Option { return func(o *options) { o.tracers = p } }

// WithAttributes adds attributes to all metrics and spans, such as the worker group. Several
// clients in one process need a [Telemetry] each, with attributes that distinguish them.
func WithAttributes(attributes ...attribute.KeyValue) Option {
	return func(o *options) { o.attributes = append(o.attributes, attributes...) }
}

// WithStepNames adds the name of the step, as the attribute step, to the metrics of steps: for
// functions that have a few dozen names at most, and none that is made from an input.
func WithStepNames() Option { return func(o *options) { o.stepNames = true } }

// Telemetry has the instruments of one client. Make it with [New]. It is safe for concurrent
// use, has no goroutine, and needs no end.
type Telemetry struct {
	options
	tracer trace.Tracer
	meter  metric.Meter
	instruments
	state stateInstruments
}

// New creates the instruments. An error is one of the meter provider.
func New(opts ...Option) (*Telemetry, error) {
	t := &Telemetry{}
	for _, o := range opts {
		o(&t.options)
	}
	if t.meters == nil {
		t.meters = otel.GetMeterProvider()
	}
	if t.tracers == nil {
		t.tracers = otel.GetTracerProvider()
	}
	t.attributes = slices.Clone(t.attributes)
	t.tracer, t.meter = t.tracers.Tracer(scope), t.meters.Meter(scope)
	var err error
	if t.instruments, err = newInstruments(t.meter); err != nil {
		return nil, fmt.Errorf("otelkontinue: instruments: %w", err)
	}
	if t.state, err = newStateInstruments(t.meter); err != nil {
		return nil, fmt.Errorf("otelkontinue: instruments: %w", err)
	}
	return t, nil
}

// with returns the attributes of all metrics and some more, as an option of a measurement.
func (t *Telemetry) with(more ...attribute.KeyValue) metric.MeasurementOption {
	return metric.WithAttributeSet(attribute.NewSet(append(slices.Clip(t.attributes), more...)...))
}

// Observer returns an observer for the Config of one client, which also calls those
// functions of next that are set. next may be nil. If next has a TraceParent, it is called
// instead of that of t, and the Jobs carry its trace context.
func (t *Telemetry) Observer(next *kontinue.Observer) *kontinue.Observer {
	if next == nil {
		next = &kontinue.Observer{}
	}
	o := &observer{t: t, next: *next, steps: map[stepKey]*stepState{}, sets: map[setKey]metric.MeasurementOption{}}
	return &kontinue.Observer{
		TraceParent: o.traceParent,
		StepBegan:   o.began,
		StepQueued:  o.queued,
		StepStarted: o.started,
		StepEnded:   o.ended,
		RequestDone: o.requestDone,
	}
}

// Register has the state of the client read whenever metrics are collected: requests, watches,
// caches and logs. The registration refers to the client until its Unregister is called,
// which a program that replaces its client does after Stop.
func (t *Telemetry) Register(client *kontinue.Client) (metric.Registration, error) {
	read := func(_ context.Context, o metric.Observer) error {
		t.state.observe(t, client, o)
		return nil
	}
	registration, err := t.meter.RegisterCallback(read, t.state.all()...)
	if err != nil {
		return nil, fmt.Errorf("otelkontinue: register: %w", err)
	}
	return registration, nil
}
