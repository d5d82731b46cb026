package otel_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/otelkontinue"
)

// values are what was collected, by name and labels: the value, or the sum of a histogram,
// whose count is under the name with "#".
func values(t testing.TB, reader *sdkmetric.ManualReader) map[string]float64 {
	t.Helper()
	var collected metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &collected))
	all := map[string]float64{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			key := func(set attribute.Set) string { return m.Name + " " + labels(set) }
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				for _, p := range data.DataPoints {
					all[key(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[int64]:
				for _, p := range data.DataPoints {
					all[key(p.Attributes)] = float64(p.Value)
				}
			case metricdata.Gauge[float64]:
				for _, p := range data.DataPoints {
					all[key(p.Attributes)] = p.Value
				}
			case metricdata.Histogram[float64]:
				for _, p := range data.DataPoints {
					all[key(p.Attributes)] = p.Sum
					all["#"+key(p.Attributes)] = float64(p.Count)
				}
			default:
				require.Failf(t, "unknown data", "%s: %T", m.Name, data)
			}
		}
	}
	return all
}

// TestMetrics: what is counted is what has happened.
func TestMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		meters, reader := manual()
		p := w.worker(meters, nil, nil, otelkontinue.WithAttributes(attribute.String("group", "default")))
		require.Error(t, w.run(p, w.NewExecution("release-42")))
		ktx, err := p.client.NewExecutionContext(t.Context(), w.NewExecution("other"))
		require.NoError(t, err)
		_, err = kontinue.StartScript(ktx, script("slow"))
		require.NoError(t, err)
		pass(10 * time.Second)

		v := values(t, reader)
		require.InDelta(t, 1, v["kontinue.steps.active group=default "], 0)
		require.InDelta(t, 0, v["kontinue.executions.running function=deploy group=default namespace=default "], 0)
		require.InDelta(t, 1, v["kontinue.executions.completed function=deploy group=default result=error "], 0)
		require.InDelta(t, 11*60, v["kontinue.execution.latency function=deploy group=default namespace=default "], 15)
		require.InDelta(t, 11*60, v["kontinue.step.duration adopted=false group=default result=success "], 10)
		require.InDelta(t, 1, v["#kontinue.step.duration adopted=false class=User group=default result=failure "], 0)
		require.InDelta(t, 1, v["#kontinue.step.duration adopted=false class=Canceled group=default result=cancellation "], 0)
		require.InDelta(t, 40, v["kontinue.step.pending.duration group=default "], 5)
		require.InDelta(t, 20, v["kontinue.step.pull.duration group=default "], 10)
		require.InDelta(t, 2, v["#kontinue.step.detection.duration group=default "]-1, 0)
		require.Less(t, v["kontinue.step.detection.duration group=default "], 8.)
		require.InDelta(t, 4, v["kontinue.step.jobs adopted=false drift=false group=default "], 0)
		require.InDelta(t, 4, v["#kontinue.request.duration code=201 group=default resource=jobs verb=create "], 0)
		for name, want := range map[string]float64{
			"kontinue.client.healthy group=default ": 1, "kontinue.requests.open group=default ": 0,
			"kontinue.requests.queued group=default ": 0, "kontinue.logs.open group=default ": 0, "kontinue.logs.queued group=default ": 0,
			"kontinue.watches.open group=default resource=jobs ": 1, "kontinue.watches.open group=default resource=pods ": 1,
			"kontinue.cache.objects group=default resource=jobs ": 1, "kontinue.cache.objects group=default resource=pods ": 1,
		} {
			got, ok := v[name]
			require.True(t, ok, name)
			require.InDelta(t, want, got, 0, name)
		}
		require.Positive(t, v["kontinue.cache.size group=default resource=pods "])
		require.Positive(t, v["kontinue.watches.opened group=default resource=pods "])
		require.InDelta(t, 30, v["kontinue.watch.age group=default resource=pods "], 31)

		p.stop()
		v = values(t, reader)
		require.InDelta(t, 0, v["kontinue.steps.active group=default "], 0)
		require.InDelta(t, 1, v["#kontinue.step.duration adopted=false group=default result=interrupted "], 0)
		require.NotContains(t, v, "kontinue.client.healthy group=default ")
	})
}

// TestQueuedSteps: the time that a step waits for room, and the steps that do.
func TestQueuedSteps(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		meters, reader := manual()
		p := w.worker(meters, nil, func(c *kontinue.Config) { c.MaxRunning = 1 }, otelkontinue.WithStepNames())
		ktx, err := p.client.NewExecutionContext(t.Context(), w.NewExecution("release-42"))
		require.NoError(t, err)
		go func() {
			_, _ = kontinue.RunScript(ktx, script("good"))
		}()
		pass(time.Minute)
		done := make(chan error)
		go func() {
			_, err := kontinue.RunScript(ktx, script("bad"))
			done <- err
		}()
		pass(time.Minute)
		v := values(t, reader)
		require.InDelta(t, 1, v["kontinue.steps.queued step=bad "], 0)
		require.NotContains(t, v, "kontinue.steps.queued step=good ")
		require.NoError(t, <-done)
		p.stop()
		v = values(t, reader)
		require.InDelta(t, 0, v["kontinue.steps.queued step=bad "], 0)
		require.InDelta(t, 600, v["kontinue.step.queue.duration step=bad "], 30)
		require.InDelta(t, 1, v["#kontinue.step.queue.duration step=bad "], 0)
	})
}

// TestResume: a step that finds its result is counted as adopted, and its stages are not
// counted a second time. An interrupted Execution has not completed.
func TestResume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		meters, reader := manual()
		x := w.NewExecution("release-42")
		p := w.worker(meters, nil, nil)
		run := func(err error) {
			ctx, end := p.StartExecution(t.Context(), "deploy", x)
			ktx, failed := p.client.NewExecutionContext(ctx, x)
			require.NoError(t, failed)
			_, failed = kontinue.RunScript(ktx, script("good"))
			require.NoError(t, failed)
			end(err)
			end(err)
		}
		run(kontinue.ErrNotRunning)
		p.stop()
		p = w.worker(meters, nil, nil)
		x.Resumptions = 1
		run(nil)
		p.stop()
		v := values(t, reader)
		require.InDelta(t, 1, v["#kontinue.step.duration adopted=true result=success "], 0)
		require.InDelta(t, 1, v["#kontinue.step.duration adopted=false result=success "], 0)
		require.InDelta(t, 1, v["#kontinue.step.run.duration "], 0)
		require.InDelta(t, 1, v["#kontinue.step.detection.duration "], 0)
		require.InDelta(t, 1, v["kontinue.step.jobs adopted=true drift=false "], 0)
		require.InDelta(t, 1, v["kontinue.executions.completed function=deploy result=success "], 0)
		require.InDelta(t, 1, v["#kontinue.execution.latency function=deploy namespace=default "], 0)
	})
}

// TestDeadline: a wait that ends with the deadline of its context is interrupted, as one that
// is canceled. A deadline that the function sets for itself is a failure of the function.
func TestDeadline(t *testing.T) {
	t.Parallel()
	errSlice := errors.New("the slice is over")
	for name, tc := range map[string]struct {
		context func(context.Context) (context.Context, context.CancelFunc)
		own     bool // it is the function's
	}{
		"canceled": {context: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancelCause(ctx)
			timer := time.AfterFunc(time.Minute, func() { cancel(errSlice) })
			return ctx, func() { timer.Stop() }
		}},
		"deadline": {context: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		}},
		"deadline with a cause": {context: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeoutCause(ctx, time.Minute, errSlice)
		}},
		"deadline of the function": {own: true, context: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Minute)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				meters, reader := manual()
				p := w.worker(meters, nil, nil)
				ctx := t.Context()
				x := w.NewExecution("release-42")
				limit := func(ctx context.Context) context.Context {
					ctx, cancel := tc.context(ctx)
					t.Cleanup(cancel)
					return ctx
				}
				if !tc.own {
					ctx = limit(ctx)
				}
				ctx, end := p.StartExecution(ctx, "deploy", x)
				if tc.own {
					ctx = limit(ctx)
				}
				ktx, err := p.client.NewExecutionContext(ctx, x)
				require.NoError(t, err)
				_, err = kontinue.RunScript(ktx, script("long"))
				require.Error(t, err)
				end(err)
				p.stop()
				v := values(t, reader)
				require.InDelta(t, 1, v["#kontinue.step.duration adopted=false result=interrupted "], 0)
				completed, ok := v["kontinue.executions.completed function=deploy result=error "]
				require.Equal(t, tc.own, ok)
				if tc.own {
					require.InDelta(t, 1, completed, 0)
				}
			})
		})
	}
}

// pass lets time pass.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// TestObserverOfTwoClients: two clients with one Config number their steps alike, and each
// step is counted and has its own span.
func TestObserverOfTwoClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		meters, reader := manual()
		first := w.worker(meters, nil, nil)
		defer first.stop()
		config := w.Config()
		config.Observer = first.Observer(nil)
		var steps []*kontinue.Step[*kontinue.PodResult]
		for _, name := range []string{"a", "b"} {
			client, err := kontinue.New(config)
			require.NoError(t, err)
			require.NoError(t, client.Start(t.Context()))
			defer func() { require.NoError(t, client.Stop(context.Background())) }()
			ktx, err := client.NewExecutionContext(t.Context(), w.NewExecution(name))
			require.NoError(t, err)
			s, err := kontinue.StartScript(ktx, script("good"))
			require.NoError(t, err)
			steps = append(steps, s)
		}
		for _, s := range steps {
			_, err := s.Wait(t.Context())
			require.NoError(t, err)
		}
		synctest.Wait()
		owners := map[string]bool{}
		for _, span := range w.spans.GetSpans() {
			for _, kv := range span.Attributes {
				owners[string(kv.Key)+"="+kv.Value.String()] = true
			}
		}
		require.True(t, owners["kontinue.execution.name=a"] && owners["kontinue.execution.name=b"], owners)
		all := values(t, reader)
		require.Zero(t, all["kontinue.steps.active "])
		require.EqualValues(t, 2, all["#kontinue.step.duration adopted=false result=success "])
	})
}
