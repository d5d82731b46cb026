package otelkontinue

import (
	"errors"

	"go.opentelemetry.io/otel/metric"
)

// instruments are those that are written when something happens.
type instruments struct {
	stepsActive, stepsQueued      metric.Int64UpDownCounter
	stepDuration                  metric.Float64Histogram
	stepQueue, stepPending        metric.Float64Histogram
	stepPull, stepRun, stepDetect metric.Float64Histogram
	stepJobs                      metric.Int64Counter
	requestDuration               metric.Float64Histogram
	executionsRunning             metric.Int64UpDownCounter
	executionLatency              metric.Float64Histogram
	executionsCompleted           metric.Int64Counter
}

// The boundaries of the histograms, in seconds.
var (
	jobBounds     = []float64{0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400}
	waitBounds    = []float64{0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600}
	detectBounds  = []float64{0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300}
	requestBounds = []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}
)

// maker makes instruments and keeps the errors.
type maker struct {
	metric.Meter
	errs []error
}

func (m *maker) upDown(name, unit, text string) metric.Int64UpDownCounter {
	i, err := m.Int64UpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(text))
	m.errs = append(m.errs, err)
	return i
}

func (m *maker) counter(name, unit, text string) metric.Int64Counter {
	i, err := m.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(text))
	m.errs = append(m.errs, err)
	return i
}

func (m *maker) seconds(name, text string, bounds []float64) metric.Float64Histogram {
	i, err := m.Float64Histogram(name, metric.WithUnit("s"), metric.WithDescription(text), metric.WithExplicitBucketBoundaries(bounds...))
	m.errs = append(m.errs, err)
	return i
}

func newInstruments(meter metric.Meter) (instruments, error) {
	m := &maker{Meter: meter}
	i := instruments{
		stepsActive:  m.upDown("kontinue.steps.active", "{step}", "Steps that have begun and not ended."),
		stepsQueued:  m.upDown("kontinue.steps.queued", "{step}", "Steps that wait for room: see Config.MaxRunning."),
		stepDuration: m.seconds("kontinue.step.duration", "Time from the begin of a step to its end, in this process.", jobBounds),
		stepQueue:    m.seconds("kontinue.step.queue.duration", "Time that a step has waited for room, of those that have.", waitBounds),
		stepPending:  m.seconds("kontinue.step.pending.duration", "Time from the creation of the Job until its pod was bound to a node.", waitBounds),
		stepPull:     m.seconds("kontinue.step.pull.duration", "Time from there until the first container was running: images are pulled, volumes mounted.", waitBounds),
		stepRun:      m.seconds("kontinue.step.run.duration", "Time from there until the last container had ended, or the Job had its condition.", jobBounds),
		stepDetect:   m.seconds("kontinue.step.detection.duration", "Time from there until the step ended in this process, by the clock of the cluster.", detectBounds),
		stepJobs:     m.counter("kontinue.step.jobs", "{job}", "Jobs that steps have created or adopted."),

		requestDuration: m.seconds("kontinue.request.duration", "Time until the response to a request to the API server began.", requestBounds),

		executionsRunning:   m.upDown("kontinue.executions.running", "{execution}", "Executions that are running."),
		executionLatency:    m.seconds("kontinue.execution.latency", "Time from the start of an Execution's function to its end.", jobBounds),
		executionsCompleted: m.counter("kontinue.executions.completed", "{execution}", "Executions that have ended."),
	}
	return i, errors.Join(m.errs...)
}
