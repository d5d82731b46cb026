package otel_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
	"github.com/kontinue/kontinue/kontinuetest"
	"github.com/kontinue/kontinue/otelkontinue"
)

// secret is in the command and the environment of every step and in what its program prints.
const secret = "s3cr3t-canary"

// world is a cluster whose clients are observed.
type world struct {
	*testing.T
	*kontinuetest.Cluster
	spans  *tracetest.InMemoryExporter
	tracer *sdktrace.TracerProvider
}

// newWorld returns a cluster with the delays of a real one. It is called in a bubble.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		T: t, spans: tracetest.NewInMemoryExporter(),
		Cluster: kontinuetest.New(t, kontinuetest.WithOptions(func(o *devcluster.Options) { o.RealDelays = true })),
	}
	w.tracer = sdktrace.NewTracerProvider(sdktrace.WithSyncer(w.spans))
	w.Play(
		kontinuetest.Job("good").Pending(40*time.Second).Pull(20*time.Second).Run(10*time.Minute).Optional(),
		kontinuetest.Job("bad").Log(secret).Exit(3).Optional(),
		kontinuetest.Job("long").Hang().Optional(),
		kontinuetest.Job("slow").Hang().Optional(),
	)
	return w
}

// worker is one process: a client that runs, and its telemetry.
type worker struct {
	*otelkontinue.Telemetry
	client *kontinue.Client
	stop   func()
}

// worker starts a client. Its metrics come from the provider.
func (w *world) worker(meters metric.MeterProvider, next *kontinue.Observer, change func(*kontinue.Config), opts ...otelkontinue.Option) worker {
	w.Helper()
	opts = append(opts, otelkontinue.WithTracerProvider(w.tracer), otelkontinue.WithMeterProvider(meters))
	telemetry, err := otelkontinue.New(opts...)
	require.NoError(w, err)
	config := w.Config()
	config.Observer = telemetry.Observer(next)
	if change != nil {
		change(&config)
	}
	client, err := kontinue.New(config)
	require.NoError(w, err)
	require.NoError(w, client.Start(w.Context()))
	registration, err := telemetry.Register(client)
	require.NoError(w, err)
	return worker{telemetry, client, func() {
		require.NoError(w, client.Stop(context.Background()))
		require.NoError(w, registration.Unregister())
	}}
}

// run runs a function with two steps that end and one that is left, and returns its error.
func (w *world) run(p worker, x kontinue.Execution) (err error) {
	w.Helper()
	ctx, end := p.StartExecution(w.Context(), "deploy", x)
	defer func() { end(err) }()
	ktx, err := p.client.NewExecutionContext(ctx, x)
	require.NoError(w, err)
	left, err := kontinue.StartScript(ktx, script("long"))
	require.NoError(w, err)
	for _, name := range []string{"good", "bad"} {
		result, err := kontinue.RunScript(ktx, script(name))
		require.NoError(w, err)
		if err := result.Err(); err != nil {
			require.ErrorContains(w, err, secret)
			require.NoError(w, left.Cancel(ctx))
			<-left.Done()
			return err
		}
	}
	return nil
}

func script(name string) *kontinue.ScriptOptions {
	return &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: name},
		Image:       "alpine:3", Command: "deploy --token=" + secret,
	}
}

// manual returns a provider that is read by hand.
func manual() (*sdkmetric.MeterProvider, *sdkmetric.ManualReader) {
	reader := sdkmetric.NewManualReader()
	return sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)), reader
}

// labels returns attributes as "key=value" in order, without those that are empty.
func labels(set attribute.Set) (text string) {
	for _, kv := range set.ToSlice() {
		if v := kv.Value.String(); v != "" {
			text += string(kv.Key) + "=" + v + " "
		}
	}
	return text
}
