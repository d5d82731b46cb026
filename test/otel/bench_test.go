package otel_test

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace/noop"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
	"github.com/kontinue/kontinue/otelkontinue"
)

// completion is what the end of a step takes of a client's CPU without telemetry, on a real
// control plane: "CPU per 1,000 ends" in docs/benchmarks.
const completion = 3900 * time.Microsecond

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkStep reports the CPU that all calls of one step take: its begin, its Job, its end
// and its two requests.
func BenchmarkStep(b *testing.B) {
	reader, err := exporter.New(exporter.WithRegisterer(prometheus.NewRegistry()))
	require.NoError(b, err)
	meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	tracers := sdktrace.NewTracerProvider(sdktrace.WithBatcher(tracetest.NewNoopExporter()))
	defer func() { require.NoError(b, tracers.Shutdown(context.Background())) }()
	for name, opts := range map[string][]otelkontinue.Option{
		"metrics": {otelkontinue.WithMeterProvider(meters), otelkontinue.WithTracerProvider(noop.NewTracerProvider())},
		"traces":  {otelkontinue.WithMeterProvider(meters), otelkontinue.WithTracerProvider(tracers)},
	} {
		b.Run(name, func(b *testing.B) {
			telemetry, err := otelkontinue.New(opts...)
			require.NoError(b, err)
			o := telemetry.Observer(nil)
			ctx, end := telemetry.StartExecution(b.Context(), "deploy", kontinue.Execution{})
			defer end(nil)
			now := time.Now()
			e := kontinue.StepEnd{
				StepInfo: kontinue.StepInfo{
					Namespace: "ci", Owner: metav1.OwnerReference{Name: "release-42", UID: "0b9d2c1e"}, Step: "deploy",
					Job: "release-42-deploy-0-abcdef", JobUID: "4f0c", At: now,
				},
				State: kontinue.StepSucceeded, Pod: "release-42-deploy-0-abcdef-x", PodUID: "6a1b",
				Times: kontinue.Times{Created: now, Scheduled: now, Started: now, Ended: now, Seen: now}, Woken: now,
			}
			b.ReportAllocs()
			before := cpu(b)
			for b.Loop() {
				e.ID++
				_ = o.TraceParent(ctx, e.StepInfo)
				o.StepBegan(ctx, e.StepInfo)
				o.RequestDone(kontinue.RequestInfo{Verb: "create", Resource: "jobs", Code: 201, Duration: time.Millisecond})
				o.StepStarted(ctx, e.StepInfo)
				o.RequestDone(kontinue.RequestInfo{Verb: "patch", Resource: "jobs", Code: 200, Duration: time.Millisecond})
				o.StepEnded(ctx, e)
			}
			each := float64(cpu(b)-before) / float64(b.N)
			b.ReportMetric(each/1000, "cpu-µs/step")
			b.ReportMetric(100*each/float64(completion), "%-of-a-completion")
		})
	}
}

// BenchmarkCollect reports what one collection of a client's state takes while 1,000 steps
// wait.
func BenchmarkCollect(b *testing.B) {
	cluster := kontinuetest.New(b)
	meters, reader := manual()
	telemetry, err := otelkontinue.New(otelkontinue.WithMeterProvider(meters))
	require.NoError(b, err)
	client := cluster.Client()
	_, err = telemetry.Register(client)
	require.NoError(b, err)
	ktx := cluster.Run(cluster.NewExecution("release-42"))
	cluster.Play(kontinuetest.Job("").Hang())
	for i := range 1000 {
		_, err := kontinue.StartScript(ktx, script(fmt.Sprintf("step-of-%d", i)))
		require.NoError(b, err)
	}
	require.Eventually(b, func() bool { return client.Stats().Jobs == 1000 }, time.Minute, 10*time.Millisecond)
	b.ReportAllocs()
	for b.Loop() {
		values(b, reader)
	}
}
