package retries_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// failUser, and so on, are what the pod of a run does.
const (
	failUser  = "exits with 3"
	failOOM   = "is OOMKilled"
	failInfra = "is evicted"
	succeed   = "succeeds"
)

// playEnds has each run of the step end in its own way; the last one repeats.
func playEnds(w *simtest.World, ends ...string) (count func() int) {
	p := newPlay(w, 0)
	w.Cluster.On(containers.Match{Step: stepName}, containers.Script{Do: func(ctx context.Context, s containers.Spec) containers.Exit {
		n := p.count()
		end := ends[min(n, len(ends)-1)]
		p.run(ctx, s)
		switch end {
		case failUser:
			return containers.Exit{Code: 3}
		case failOOM:
			return containers.Exit{Code: 137, Reason: "OOMKilled"}
		case failInfra:
			time.AfterFunc(0, func() { _ = w.Cluster.PressureEvictPod(s.Pod.Namespace, s.Pod.Name, "") })
			<-ctx.Done()
			return containers.Exit{Code: 143}
		}
		return containers.Exit{}
	}})
	return p.count
}

// TestLimitsApart counts the runs of steps that fail in several ways.
func TestLimitsApart(t *testing.T) {
	t.Parallel()
	both := kontinue.Retry{Limit: 1, Infrastructure: 2}
	for name, tc := range map[string]struct {
		retry kontinue.Retry
		ends  []string
		runs  int
		class kontinue.Class // of the result; empty for a success
	}{
		"infrastructure does not use up Limit":  {both, []string{failInfra, failInfra, failUser, succeed}, 4, ""},
		"user does not use up Infrastructure":   {both, []string{failUser, failInfra, failInfra, succeed}, 4, ""},
		"Infrastructure is used up":             {both, []string{failInfra, failUser, failInfra, failInfra, succeed}, 4, kontinue.ClassInfrastructure},
		"Limit is used up":                      {both, []string{failInfra, failUser, failUser, succeed}, 3, kontinue.ClassUser},
		"an OOM kill is the user's":             {kontinue.Retry{Limit: 1}, []string{failOOM, succeed}, 2, ""},
		"infrastructure without Infrastructure": {kontinue.Retry{Limit: 3}, []string{failInfra, succeed}, 1, kontinue.ClassInfrastructure},
		"user without Limit":                    {kontinue.Retry{Infrastructure: 3}, []string{failInfra, failUser, succeed}, 2, kontinue.ClassUser},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				count := playEnds(w, tc.ends...)
				r, err := run(w.Worker(), tc.retry)
				require.NoError(t, err)
				require.Equal(t, tc.runs, r.Runs())
				require.Equal(t, tc.runs, count())
				if tc.class == "" {
					require.NoError(t, r.Err())
					return
				}
				var exit *kontinue.ExitError
				require.ErrorAs(t, r.Err(), &exit)
				require.Equal(t, tc.class, exit.Class)
				// A resume finds the end of the retries.
				again, err := run(w.Worker(), tc.retry)
				require.NoError(t, err)
				require.Equal(t, tc.runs, again.Runs())
				require.Equal(t, r.Pod.UID, again.Pod.UID)
			})
		})
	}
}

// TestTimeoutIsRetriedIfListed has a step that reaches its deadline.
func TestTimeoutIsRetriedIfListed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		classes []kontinue.Class
		runs    int
	}{
		"not listed": {nil, 1},
		"listed":     {[]kontinue.Class{kontinue.ClassTimeout}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{Step: stepName}, containers.Script{Run: time.Hour})
				o := options(kontinue.Retry{Limit: 2, Classes: tc.classes})
				o.Timeout = 30 * time.Second
				r, err := kontinue.RunScript(w.Worker().ExecutionContext(), o)
				require.NoError(t, err)
				require.ErrorIs(t, r.Err(), kontinue.ErrDeadlineExceeded)
				require.Equal(t, tc.runs, r.Runs())
			})
		})
	}
}

// TestGivenUpRunsAgain has a step whose pods find no node in the first run.
func TestGivenUpRunsAgain(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: stepName, Where: func(s containers.Spec) bool {
			return s.Pod.Labels[batchv1.JobNameLabel] == byNumber(w)[0].Name
		}}, containers.Script{Unschedulable: time.Hour})
		o := options(kontinue.Retry{Infrastructure: 1})
		o.StartLimits = kontinue.StartLimits{corev1.PodReasonUnschedulable: time.Minute}
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), o)
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.Equal(t, 2, r.Runs())
	})
}

// TestJobRunsAgain has a Job with two pods, of which one fails.
func TestJobRunsAgain(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		newPlay(w, 0, 3, 0)
		o := &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: stepName, Retry: kontinue.Retry{Limit: 1}}, Spec: batchv1.JobSpec{
			Completions: new(int32(2)), Parallelism: new(int32(1)), BackoffLimit: new(int32(0)),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
		}}
		s, err := kontinue.StartJob(w.Worker().ExecutionContext(), o)
		require.NoError(t, err)
		o.Spec.Template.Spec.Containers[0].Image = "changed:1" // what the caller changes then does not count
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.True(t, r.Complete(), r.Message)
		require.Equal(t, 2, r.Runs())
		require.Len(t, r.Pods, 2)
		for _, job := range byNumber(w) {
			require.Equal(t, "alpine:3", job.Spec.Template.Spec.Containers[0].Image)
		}
		require.Equal(t, byNumber(w)[0].Annotations["kontinue.cloud/spec-hash"], byNumber(w)[1].Annotations["kontinue.cloud/spec-hash"])
	})
}

// TestLogsOfEachRun has the lines of each run in Logs, in their order.
func TestLogsOfEachRun(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		lines := containers.Script{Log: []containers.LogLine{{After: time.Second, Text: "a line"}}, Run: takes}
		failing := lines
		failing.Exit.Code = 3
		w.Cluster.On(containers.Match{Step: stepName}, lines)
		w.Cluster.On(containers.Match{Step: stepName, Where: func(containers.Spec) bool { return len(w.Jobs()[stepName]) < 3 }}, failing)
		var log simtest.Log
		o := options(kontinue.Retry{Limit: 2})
		o.Logs = &log
		r, err := kontinue.RunScript(w.Worker().ExecutionContext(), o)
		require.NoError(t, err)
		require.Equal(t, "a line\na line\na line\n", log.String())
		require.NotNil(t, r.LogReport)
		require.True(t, r.LogReport.Complete)
		require.Equal(t, int64(1), r.LogReport.Lines)
	})
}
