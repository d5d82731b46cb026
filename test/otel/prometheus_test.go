package otel_test

import (
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/otlptranslator"
	"github.com/stretchr/testify/require"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/kontinue/kontinue"
)

var update = flag.Bool("update", false, "write testdata/metrics.txt")

const golden = "testdata/metrics.txt"

// scraped runs steps of each kind and returns the metrics that Prometheus gets: for each
// name its type and labels.
func scraped(t *testing.T, opts ...exporter.Option) (metrics map[string]string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		registry := prometheus.NewRegistry()
		reader, err := exporter.New(append(opts, exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())...)
		require.NoError(t, err)
		meters := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
		p := w.worker(meters, nil, func(c *kontinue.Config) { c.MaxRunning = 2 })
		require.Error(t, w.run(p, w.NewExecution("release-42")))
		ktx, err := p.client.NewExecutionContext(t.Context(), w.NewExecution("other"))
		require.NoError(t, err)
		for _, name := range []string{"slow", "good", "queued"} {
			go func() { _, _ = kontinue.RunScript(ktx, script(name)) }()
			pass(time.Minute)
		}
		pass(20 * time.Minute)
		families, err := registry.Gather()
		require.NoError(t, err)
		metrics = map[string]string{}
		for _, f := range families {
			labels := map[string]bool{}
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					labels[l.GetName()] = true
				}
			}
			metrics[f.GetName()] = strings.TrimSpace(strings.ToLower(f.GetType().String()) + " " + strings.Join(slices.Sorted(maps.Keys(labels)), " "))
		}
		p.stop()
	})
	return metrics
}

// TestPrometheus: dashboards, alerts and the documentation rely on names and labels. A change
// of one is a change of the API.
func TestPrometheus(t *testing.T) {
	t.Parallel()
	metrics := scraped(t)
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(metrics)) {
		text.WriteString(name + " " + metrics[name] + "\n")
	}
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(text.String()), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), text.String())
}

// TestNamesOfKontinueCloud: without suffixes the metrics of Executions have the names and
// labels of kontinue.cloud.
func TestNamesOfKontinueCloud(t *testing.T) {
	t.Parallel()
	metrics := scraped(t, exporter.WithTranslationStrategy(otlptranslator.UnderscoreEscapingWithoutSuffixes))
	require.Equal(t, "gauge function namespace", metrics["kontinue_executions_running"])
	require.Equal(t, "histogram function namespace", metrics["kontinue_execution_latency"])
	require.Equal(t, "counter function result", metrics["kontinue_executions_completed"])
}
