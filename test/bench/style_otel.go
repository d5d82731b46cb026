package bench

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/otelkontinue"
)

// runPodsObserved is runPods with the metrics of otelkontinue in a registry of Prometheus, and
// with all its traces, which are batched and then discarded. Nothing reads the registry:
// BenchmarkCollect of test/otel has the cost of that.
func runPodsObserved(ctx context.Context, w *waiter) error {
	w.wakeOnPatch()
	reader, err := exporter.New(exporter.WithRegisterer(prometheus.NewRegistry()))
	if err != nil {
		return err
	}
	telemetry, err := otelkontinue.New(
		otelkontinue.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))),
		otelkontinue.WithTracerProvider(sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))),
	)
	if err != nil {
		return err
	}
	client, err := w.connect(ctx, kontinue.Config{Observer: telemetry.Observer(nil)})
	if err != nil {
		return err
	}
	if _, err := telemetry.Register(client); err != nil {
		return err
	}
	ctx, _ = telemetry.StartExecution(ctx, "wait", resumed(w.owner)) // ends with the process
	return w.runPods(ctx, client)
}
