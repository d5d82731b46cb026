package handles_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

func talks(texts ...string) containers.Script {
	s := containers.Script{Run: time.Minute}
	for i, text := range texts {
		s.Log = append(s.Log, containers.LogLine{After: time.Duration(i) * 10 * time.Second, Text: text})
	}
	return s
}

// TestLogs: each call writes the log from its first line to its end: one that begins with
// the step, one in between, one after the end, and one of another process.
func TestLogs(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, talks("one", "two", "three"))
		p := w.Worker()
		s := start(w, p.ExecutionContext(), "a")
		done := make(chan error, 3)
		var first, second, third lines
		ctx, cancel := context.WithTimeout(w.Context(), 15*time.Second)
		defer cancel()
		go func() { done <- s.Logs(w.Context(), &first, nil) }()
		go func() { done <- s.Logs(ctx, &second, nil) }()
		require.ErrorIs(t, <-done, context.DeadlineExceeded)
		require.Equal(t, "one\ntwo\n", second.String())
		go func() { done <- s.Logs(w.Context(), &third, &kontinue.LogOptions{Container: "script"}) }()
		began := time.Now()
		require.NoError(t, <-done)
		require.NoError(t, <-done)
		require.Less(t, time.Since(began), time.Minute)
		const all = "one\ntwo\nthree\n"
		require.Equal(t, all, first.String())
		require.Equal(t, all, third.String())

		var after lines
		require.NoError(t, s.Logs(w.Context(), &after, nil))
		require.Equal(t, all, after.String())
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		require.Nil(t, r.LogReport)

		var other lines
		require.NoError(t, start(w, w.Worker().ExecutionContext(), "a").Logs(w.Context(), &other, nil))
		require.Equal(t, all, other.String())

		w.Sleep(time.Minute) // the Job controller counts the pod
		require.NoError(t, w.Admin().CoreV1().Pods("ns").Delete(w.Context(), r.Pod.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}))
		require.ErrorIs(t, s.Logs(w.Context(), &after, nil), kontinue.ErrLogsGone)
		w.StopClient(p.Client)
		require.ErrorIs(t, s.Logs(w.Context(), &after, nil), kontinue.ErrNotRunning)
	})
}

// TestLogsOfSeveral: each line of a Job with several containers says whose it is, and one
// container can be chosen.
func TestLogsOfSeveral(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Container: "a"}, talks("from a"))
		w.Cluster.On(containers.Match{Container: "b"}, talks("from b"))
		s, err := kontinue.StartJob(w.Worker().ExecutionContext(), &kontinue.JobOptions{
			StepOptions: kontinue.StepOptions{Name: "j"},
			Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "a", Image: "x"}, {Name: "b", Image: "x"}},
			}}},
		})
		require.NoError(t, err)
		var all, one lines
		require.NoError(t, s.Logs(w.Context(), &one, &kontinue.LogOptions{Container: "b"}))
		require.NoError(t, s.Logs(w.Context(), &all, nil))
		r, err := s.Wait(w.Context())
		require.NoError(t, err)
		pod := r.Pods[0].Pod.Name
		require.Equal(t, pod+": from b\n", one.String())
		require.ElementsMatch(t, []string{pod + " a: from a", pod + " b: from b"}, strings.Split(strings.TrimSpace(all.String()), "\n"))
		require.Error(t, s.Logs(w.Context(), &all, &kontinue.LogOptions{Container: "c"}))
	})
}
