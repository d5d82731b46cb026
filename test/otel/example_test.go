package otel_test

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	exporter "go.opentelemetry.io/otel/exporters/prometheus"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
	"github.com/kontinue/kontinue/otelkontinue"
)

// A worker whose metrics Prometheus scrapes. The cluster is one in memory.
func Example() {
	ctx := context.Background()
	cluster, err := devcluster.Start(ctx, devcluster.Options{Containers: devcluster.Scripts})
	must(err)
	defer cluster.Stop()
	execution, err := cluster.NewExecution(ctx, "default", "release-42")
	must(err)

	registry := prometheus.NewRegistry()
	reader, err := exporter.New(exporter.WithRegisterer(registry), exporter.WithoutScopeInfo(), exporter.WithoutTargetInfo())
	must(err)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	telemetry, err := otelkontinue.New(otelkontinue.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	must(err)
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: cluster.RESTConfig(), Namespace: "default", Observer: telemetry.Observer(nil),
	})
	must(err)
	must(client.Start(ctx))
	_, err = telemetry.Register(client)
	must(err)
	ktx, err := client.NewExecutionContext(ctx, execution)
	must(err)
	_, err = kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "alpine:3", Command: "./deploy"})
	must(err)
	must(client.Stop(ctx)) // after it all that has happened is counted

	response := httptest.NewRecorder()
	mux.ServeHTTP(response, httptest.NewRequestWithContext(ctx, http.MethodGet, "/metrics", nil))
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "kontinue_step_jobs_total") || strings.HasPrefix(lines.Text(), "kontinue_step_duration_seconds_count") {
			fmt.Println(lines.Text())
		}
	}
	// Output:
	// kontinue_step_duration_seconds_count{adopted="false",class="",result="success"} 1
	// kontinue_step_jobs_total{adopted="false",drift="false"} 1
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
