package faults_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestLogOfADeadNode: the API server sends one line of the log and then nothing, as of a
// kubelet whose node has died. Neither call waits for ever.
func TestLogOfADeadNode(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Exit: containers.Exit{Code: 7}})
		p := w.Worker()
		ktx := p.ExecutionContext()
		r, err := kontinue.RunScript(ktx, simtest.Script("a", "exit 7"))
		require.NoError(t, err)
		w.Cluster.APIServer().SetLogSource(func(string, string, string, *corev1.PodLogOptions) (io.ReadCloser, error) {
			out, in := io.Pipe()
			go func() { _, _ = in.Write([]byte("a line\n")) }()
			return out, nil
		})
		for _, call := range []func() (string, error){
			func() (string, error) { return r.Logs(ktx, nil) },
			func() (string, error) { return r.LogErrorSummary(ktx) },
		} {
			began := time.Now()
			_, err := call()
			require.ErrorContains(t, err, "nothing came for too long")
			require.ErrorContains(t, err, r.Pod.Name)
			require.LessOrEqual(t, time.Since(began), time.Minute)
		}
	})
}
