package otel_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
)

// span returns the nth span of that name, from 0.
func (w *world) span(name string, n int) tracetest.SpanStub {
	w.Helper()
	var found []tracetest.SpanStub
	for _, s := range w.spans.GetSpans() {
		if s.Name == name {
			found = append(found, s)
		}
	}
	slices.SortFunc(found, func(a, b tracetest.SpanStub) int { return a.StartTime.Compare(b.StartTime) })
	require.Greater(w, len(found), n, name)
	return found[n]
}

func attributes(s tracetest.SpanStub) map[string]string {
	all := map[string]string{}
	for _, kv := range s.Attributes {
		all[string(kv.Key)] = kv.Value.String()
	}
	return all
}

// TestTraces: a span for the Execution and below it one for each step. The spans of a function
// that runs again are linked to those of the first run.
func TestTraces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		x := w.NewExecution("release-42")
		p := w.worker(noop.NewMeterProvider(), nil, nil)
		require.Error(t, w.run(p, x))
		p.stop()

		execution, good, bad := w.span("execution deploy", 0), w.span("step good", 0), w.span("step bad", 0)
		require.False(t, execution.Parent.IsValid())
		for _, s := range []tracetest.SpanStub{good, bad} {
			require.Equal(t, execution.SpanContext.SpanID(), s.Parent.SpanID())
			require.Equal(t, execution.SpanContext.TraceID(), s.SpanContext.TraceID())
			require.Empty(t, s.Links)
			require.False(t, s.StartTime.Before(execution.StartTime))
			require.False(t, s.EndTime.After(execution.EndTime))
		}
		require.Equal(t, codes.Error, execution.Status.Code)
		require.Equal(t, codes.Unset, good.Status.Code)
		require.Equal(t, codes.Error, bad.Status.Code)
		a := attributes(bad)
		require.Equal(t, []string{"failure", "3", "script", "User", "default", "release-42", "Error"}, []string{
			a["cicd.pipeline.task.run.result"], a["process.exit.code"], a["k8s.container.name"], a["kontinue.failure.class"],
			a["k8s.namespace.name"], a["kontinue.execution.name"], a["error.type"],
		})
		jobs, err := w.Clientset().BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{LabelSelector: "kontinue.cloud/step=good"})
		require.NoError(t, err)
		job := jobs.Items[0]
		require.Equal(t, fmt.Sprintf("00-%s-%s-01", good.SpanContext.TraceID(), good.SpanContext.SpanID()), job.Annotations["kontinue.cloud/traceparent"])
		require.Equal(t, []string{job.Name, string(job.UID), "success"},
			[]string{attributes(good)["k8s.job.name"], attributes(good)["k8s.job.uid"], attributes(good)["cicd.pipeline.task.run.result"]})
		events := map[string]bool{}
		for _, e := range good.Events {
			events[e.Name] = true
		}
		require.Equal(t, map[string]bool{
			"kontinue.step.started": true, "k8s.job.created": true, "k8s.pod.scheduled": true,
			"k8s.container.started": true, "k8s.container.ended": true,
		}, events)

		x.Resumptions = 1
		p = w.worker(noop.NewMeterProvider(), nil, nil)
		require.Error(t, w.run(p, x))
		p.stop()
		again := w.span("step good", 1)
		require.NotEqual(t, good.SpanContext.TraceID(), again.SpanContext.TraceID())
		require.Len(t, again.Links, 1)
		require.Equal(t, good.SpanContext.SpanID(), again.Links[0].SpanContext.SpanID())
		require.Equal(t, good.SpanContext.TraceID(), again.Links[0].SpanContext.TraceID())
		second := w.span("execution deploy", 1)
		require.Len(t, second.Links, 1, "one for all steps")
		require.Equal(t, execution.SpanContext.TraceID(), second.Links[0].SpanContext.TraceID())
		job2, err := w.Clientset().BatchV1().Jobs("default").Get(t.Context(), job.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, job.Annotations["kontinue.cloud/traceparent"], job2.Annotations["kontinue.cloud/traceparent"])

		require.NotContains(t, fmt.Sprintf("%+v", w.spans.GetSpans()), secret)
	})
}

// TestNextObserver: the functions of another observer are called, and its trace context is
// the one on the Jobs.
func TestNextObserver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		const own = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
		called := map[string]int{}
		next := &kontinue.Observer{
			TraceParent: func(context.Context, kontinue.StepInfo) string { return own },
			StepBegan:   func(context.Context, kontinue.StepInfo) { called["began"]++ },
			StepQueued:  func(context.Context, kontinue.StepInfo) { called["queued"]++ },
			StepStarted: func(_ context.Context, s kontinue.StepInfo) { called[s.TraceParent]++ },
			StepEnded:   func(context.Context, kontinue.StepEnd) { called["ended"]++ },
			RequestDone: func(r kontinue.RequestInfo) { called[r.Verb+" "+r.Resource]++ },
		}
		p := w.worker(noop.NewMeterProvider(), next, func(c *kontinue.Config) { c.MaxRunning = 1 })
		ktx, err := p.client.NewExecutionContext(t.Context(), w.NewExecution("release-42"))
		require.NoError(t, err)
		first, err := kontinue.StartScript(ktx, script("good"))
		require.NoError(t, err)
		_, err = kontinue.RunScript(ktx, script("bad"))
		require.NoError(t, err)
		require.True(t, done(first.Done()))
		p.stop()
		require.Equal(t, []int{2, 1, 2, 2, 2}, []int{called["began"], called["queued"], called[own], called["ended"], called["create jobs"]})
	})
}

func done(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
