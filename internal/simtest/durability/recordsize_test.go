package durability_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestRecordIsAtMost16KiB, whatever is in it.
func TestRecordIsAtMost16KiB(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{"quotes": strings.Repeat(`"<&>`, 500), "control characters": strings.Repeat("\x01", 2000), "lines": strings.Repeat("\nline", 400)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{Exit: containers.Exit{Code: 1, TerminationMessage: message}})
				w.Cluster.APIServer().AddAdmission(func(_ context.Context, a *apiserver.Attributes) error {
					// A controller of its own (managedBy), or a webhook, explains at length.
					if job, ok := a.Object.(*batchv1.Job); ok && a.Resource == "jobs/status" {
						for i := range job.Status.Conditions {
							job.Status.Conditions[i].Message = message
						}
					}
					return nil
				})
				_, err := kontinue.RunJob(w.Worker().ExecutionContext(), indexedJob(60, perIndex(nil)))
				require.NoError(t, err)
				text := w.Jobs()["matrix"][0].Annotations["kontinue.cloud/outcome"]
				require.LessOrEqual(t, len(text), 16*1024)
				require.Greater(t, len(text), 15*1024, "no more is left out than needed")
			})
		})
	}
}

// TestRecordHoldsTerminationMessages: what README says of who may read the end of a log,
// and how to keep it out.
func TestRecordHoldsTerminationMessages(t *testing.T) {
	t.Parallel()
	for policy, recorded := range map[corev1.TerminationMessagePolicy]bool{"": true, corev1.TerminationMessageReadFile: false} {
		t.Run("policy "+string(policy), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				var log []containers.LogLine
				for i := range 200 {
					log = append(log, containers.LogLine{Text: fmt.Sprintf("line %d", i)})
				}
				w.Cluster.On(containers.Match{}, containers.Script{Log: log, Exit: containers.Exit{Code: 1}})
				ktx := w.Worker().ExecutionContext()
				r, err := kontinue.RunPod(ktx, &kontinue.PodOptions{
					StepOptions: kontinue.StepOptions{Name: "matrix"},
					Spec:        corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3", TerminationMessagePolicy: policy}}},
				})
				require.NoError(t, err)
				text := w.Jobs()["matrix"][0].Annotations["kontinue.cloud/outcome"]
				require.Equal(t, recorded, strings.Contains(text, "line 199"))
				require.Equal(t, recorded, strings.Contains(text, "line 120"), "up to 80 lines")
				require.NotContains(t, text, "line 119")
				require.Equal(t, recorded, strings.Contains(r.Message, "line"))
				summary, err := r.LogErrorSummary(ktx)
				require.NoError(t, err)
				require.Equal(t, "line 199", summary, "the log itself has it")
			})
		})
	}
}
