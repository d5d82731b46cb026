package durability_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// viaJSON returns the result as a program gets it that has saved it.
func viaJSON[T any](t *testing.T, r *T) *T {
	t.Helper()
	text, err := json.Marshal(r)
	require.NoError(t, err)
	again := new(T)
	require.NoError(t, json.Unmarshal(text, again))
	return again
}

// TestResultSurvivesJSON: all that a result answers, whether it was made by a cluster or
// read from a file.
func TestResultSurvivesJSON(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Step: "killed"}, containers.Script{Run: containers.Forever, TermCode: -1})
		w.Cluster.On(containers.Match{Step: "broken"}, containers.Script{Run: time.Second, Exit: containers.Exit{Code: 3}})
		ktx := w.Worker().ExecutionContext()
		for _, step := range []string{"fine", "killed", "broken"} {
			script := simtest.Script(step, "true")
			script.Timeout = time.Minute
			r, err := kontinue.RunScript(ktx, script)
			require.NoError(t, err)
			again := viaJSON(t, r)
			require.Equal(t, facts(r), facts(again))
			require.Equal(t, fmt.Sprint(r.Err()), fmt.Sprint(again.Err()))
			require.Equal(t, errors.Is(r.Err(), kontinue.ErrDeadlineExceeded), errors.Is(again.Err(), kontinue.ErrDeadlineExceeded))
			require.Equal(t, r.Resumed(), again.Resumed())
			require.Equal(t, r.Drift(), again.Drift())
			require.Equal(t, r.Mutations(), again.Mutations())
			log, err := again.Logs(ktx, nil)
			want, err2 := r.Logs(ktx, nil)
			require.Equal(t, []any{want, err2 == nil}, []any{log, err == nil})
		}
		job, err := kontinue.RunJob(ktx, &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: "job"}, Spec: batchv1.JobSpec{
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}},
		}})
		require.NoError(t, err)
		again := viaJSON(t, job)
		require.Equal(t, digestJob(job, nil), digestJob(again, nil))
		require.True(t, again.Complete())
		require.Equal(t, job.Name(), again.Name())
		require.Equal(t, job.Pods[0].Resumed(), again.Pods[0].Resumed())
	})
	// What a program has saved before results had more than their fields.
	var old kontinue.JobResult
	require.NoError(t, json.Unmarshal([]byte(`{"SucceededPods":1,"FailedPods":0,"Message":"","Pods":[{"Pod":null,"Message":"","Phase":"Succeeded"}]}`), &old))
	require.True(t, old.Succeeded())
	require.NoError(t, old.Err())
}
