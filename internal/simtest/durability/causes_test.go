package durability_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// explained returns the ExitError of a result, which must be the same after it was saved.
func explained[R any](t *testing.T, r *R) *kontinue.ExitError {
	t.Helper()
	var first, again *kontinue.ExitError
	require.ErrorAs(t, any(r).(interface{ Err() error }).Err(), &first)
	require.ErrorAs(t, any(viaJSON(t, r)).(interface{ Err() error }).Err(), &again)
	require.Equal(t, first.Class, again.Class)
	require.Equal(t, first.Advice, again.Advice)
	require.Equal(t, first.Unwrap(), again.Unwrap())
	require.NotContains(t, first.Error(), first.Advice)
	require.NotContains(t, first.Error(), "\n")
	return first
}

// TestClassOfAFailure: what a failure is, for the worker that saw it and for one that has
// the record only.
func TestClassOfAFailure(t *testing.T) {
	t.Parallel()
	forever := containers.Script{Run: containers.Forever}
	for name, tc := range map[string]struct {
		script  containers.Script
		timeout time.Duration
		during  func(w *simtest.World)

		class kontinue.Class
		is    []error
	}{
		"exit code":     {script: exits(time.Second, 3), class: kontinue.ClassUser},
		"out of memory": {script: runsOutOfMemory(time.Second), class: kontinue.ClassUser, is: []error{kontinue.ErrOOMKilled}},
		"evicted": {
			script: forever, class: kontinue.ClassInfrastructure, is: []error{kontinue.ErrEvicted},
			during: func(w *simtest.World) {
				w.Sleep(10 * time.Second)
				require.NoError(w, w.Cluster.PressureEvictPod("ns", w.Pods()[0].Name, ""))
			},
		},
		"deleted, and slow to stop": {
			script: containers.Script{Run: containers.Forever, IgnoreTERM: true}, class: kontinue.ClassInfrastructure,
			during: func(w *simtest.World) {
				w.Sleep(10 * time.Second)
				require.NoError(w, w.Cluster.DeletePod(w.Context(), "ns", w.Pods()[0].Name))
			},
		},
		"too slow": {script: forever, timeout: time.Minute, class: kontinue.ClassTimeout, is: []error{kontinue.ErrDeadlineExceeded}},
		"no image": {
			script: containers.Script{PullError: "ErrImagePull"}, timeout: time.Minute, class: kontinue.ClassTimeout,
			is: []error{kontinue.ErrDeadlineExceeded, kontinue.ErrImagePull},
		},
	} {
		check := func(t *testing.T, run func(t *testing.T, test func(w *simtest.World))) {
			run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, tc.script)
				if tc.during != nil {
					go tc.during(w)
				}
				var texts []string
				for _, worker := range []*simtest.Worker{w.Worker(), w.Worker()} {
					script := simtest.Script("step", "true")
					script.Timeout = tc.timeout
					r, err := kontinue.RunScript(worker.ExecutionContext(), script)
					require.NoError(t, err)
					e := explained(t, r)
					require.Equal(t, tc.class, e.Class)
					require.Equal(t, tc.is, e.Unwrap())
					require.NotEmpty(t, e.Advice)
					texts = append(texts, facts(r))
				}
				require.Equal(t, texts[0], texts[1])
			})
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			check(t, simtest.Run)
		})
		t.Run(name+", on a slow node", func(t *testing.T) { check(t, simtest.RunReal) })
	}
}
