package handles_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestLogsOfAStepWithoutAResult return, although nothing becomes known of the pod any more, with
// what there is.
func TestLogsOfAStepWithoutAResult(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		deleted, late bool
		want          string
	}{
		"whose Job is deleted":               {deleted: true, want: "one\ntwo\n"},
		"whose Job was deleted":              {deleted: true, late: true},
		"whose context ends":                 {want: "one\ntwo\n"},
		"whose context had ended long since": {late: true, want: "one\ntwo\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, talks("one", "two", "three"))
				p := w.Worker()
				ctx, cancel := context.WithCancelCause(w.Context())
				defer cancel(nil)
				s := start(w, p.ExecutionContext().WithContext(ctx), "a")
				var out lines
				done := make(chan error, 1)
				logs := func() { done <- s.Logs(w.Context(), &out, nil) }
				if !tc.late {
					go logs()
				}
				w.Sleep(15 * time.Second)
				if tc.deleted {
					require.NoError(t, w.Admin().BatchV1().Jobs("ns").Delete(w.Context(), s.JobName(), metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)}))
					w.Sleep(time.Minute)
				} else {
					cancel(errShift)
				}
				synctest.Wait()
				require.True(t, ended(s))
				if tc.late {
					go logs()
				}
				w.Sleep(2 * time.Minute)
				require.Len(t, done, 1, "hangs")
				err := <-done
				require.Equal(t, tc.want, out.String())
				require.Error(t, err)
				switch {
				case tc.deleted && tc.late:
					require.ErrorIs(t, err, kontinue.ErrLogsGone)
				case tc.deleted: // the pod may end later than its Job
				default:
					require.ErrorContains(t, err, "still running")
				}
				require.Zero(t, w.StopClient(p.Client))
			})
		})
	}
}
