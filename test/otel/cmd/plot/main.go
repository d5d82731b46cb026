// Plot runs steps on a cluster in memory, with the delays of a real node, and writes their
// metrics over time as an SVG: the plot of docs/observability.md.
//
//	go -C test/otel run ./cmd/plot > docs/run.svg
package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
	"github.com/kontinue/kontinue/otelkontinue"
)

const (
	steps      = 500
	maxRunning = 100
	longest    = 10 * time.Second // of a step
	interval   = 500 * time.Millisecond
)

func main() {
	samples, err := run(context.Background(), steps, longest)
	if err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
	fmt.Print(draw(samples))
}

// run runs n steps at once, each for a random part of longest, and returns a sample of the
// metrics for each interval.
func run(ctx context.Context, n int, longest time.Duration) ([]sample, error) {
	cluster, err := devcluster.Start(ctx, devcluster.Options{Containers: devcluster.Scripts, RealDelays: true})
	if err != nil {
		return nil, err
	}
	defer cluster.Stop()
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		if err := cluster.Play(devcluster.Job(name(i)).Run(time.Duration(random.Int64N(int64(longest))))); err != nil {
			return nil, err
		}
	}
	execution, err := cluster.NewExecution(ctx, "default", "release-42")
	if err != nil {
		return nil, err
	}
	reader := sdkmetric.NewManualReader()
	telemetry, err := otelkontinue.New(otelkontinue.WithMeterProvider(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))))
	if err != nil {
		return nil, err
	}
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: cluster.RESTConfig(), Namespace: "default", MaxRunning: maxRunning, Observer: telemetry.Observer(nil),
	})
	if err != nil {
		return nil, err
	}
	if err := client.Start(ctx); err != nil {
		return nil, err
	}
	defer func() { _ = client.Stop(ctx) }()
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- all(ktx, n) }()
	return watch(ctx, reader, ended)
}

// all runs n steps at once.
func all(ktx *kontinue.ExecutionContext, n int) error {
	var waits sync.WaitGroup
	errs := make(chan error, n)
	for i := range n {
		waits.Go(func() {
			_, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
				StepOptions: kontinue.StepOptions{Name: name(i)}, Image: "busybox", Command: "make",
			})
			if err != nil {
				errs <- err
			}
		})
	}
	waits.Wait()
	close(errs)
	return <-errs // nil if there is none
}

// watch samples the metrics until the steps have ended, and one interval longer.
func watch(ctx context.Context, reader sdkmetric.Reader, ended <-chan error) ([]sample, error) {
	began := time.Now()
	var samples []sample
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for last := false; ; {
		s, err := collect(ctx, reader)
		if err != nil {
			return nil, err
		}
		s.at = time.Since(began)
		samples = append(samples, s)
		if last {
			return samples, nil
		}
		select {
		case <-ticker.C:
		case err := <-ended:
			if err != nil {
				return nil, err
			}
			last = true
			<-ticker.C
		}
	}
}

func name(i int) string { return fmt.Sprintf("step%03d", i) }
