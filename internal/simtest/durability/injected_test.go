package durability_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// inject puts the proxy of a mesh before the containers of each pod.
func inject(w *simtest.World, log string) {
	w.Cluster.On(containers.Match{Container: "proxy"}, containers.Script{Log: []containers.LogLine{{Text: log}}, Run: 5 * time.Second, Exit: containers.Exit{Code: 1}})
	w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
		if pod, ok := a.Object.(*corev1.Pod); ok && a.Verb == "create" {
			pod.Spec.Containers = append([]corev1.Container{{Name: "proxy", Image: "proxy:1"}}, pod.Spec.Containers...)
		}
		return nil
	})
}

// TestInjectedContainerIsNotTheStep: the log, and of two that fail in the same second the
// one to blame, is that of the container that was submitted.
func TestInjectedContainerIsNotTheStep(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		inject(w, "proxy says goodbye")
		w.Cluster.On(containers.Match{Container: "script"}, containers.Script{
			Log: []containers.LogLine{{Text: "the step's own log"}}, Run: 5 * time.Second, Exit: containers.Exit{Code: 3},
		})
		w.Cluster.On(containers.Match{Container: "proxy", Step: "good"}, containers.Script{Log: []containers.LogLine{{Text: "proxy says goodbye"}}})
		w.Cluster.On(containers.Match{Container: "script", Step: "good"}, containers.Script{Log: []containers.LogLine{{Text: "the step's own log"}}})
		first, second := w.Worker(), w.Worker()
		for _, step := range []string{"good", "bad"} {
			for _, worker := range []*simtest.Worker{first, second} {
				ktx := worker.ExecutionContext()
				r, err := kontinue.RunScript(ktx, simtest.Script(step, "true"))
				require.NoError(t, err)
				require.Equal(t, worker == second, r.Resumed())
				require.Equal(t, step == "good", r.Succeeded(), r.Message)
				for _, r := range []*kontinue.PodResult{r, viaJSON(t, r)} {
					log, err := r.Logs(ktx, nil)
					require.NoError(t, err)
					require.Equal(t, "the step's own log\n", log)
					summary, err := r.LogErrorSummary(ktx)
					require.NoError(t, err)
					require.Equal(t, "the step's own log", summary)
					if exit := (*kontinue.ExitError)(nil); errors.As(r.Err(), &exit) {
						require.Equal(t, "script", exit.Container)
						require.Equal(t, int32(3), exit.ExitCode)
					}
				}
			}
		}
	})
}
