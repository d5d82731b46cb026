package durability_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestFirstRecordStands: the second worker sees the end of the Job late, and the
// pods only after they were deleted. It must return the result that the first
// worker has recorded, with a pod that says the same.
func TestFirstRecordStands(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: time.Minute, Exit: containers.Exit{Code: 3}})
		first, second := w.Worker(), w.Worker()
		began := time.Now()
		w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
			switch {
			case i.User != second.User || time.Since(began) <= 30*time.Second:
				return true, 0
			case i.Resource == "pods":
				return true, 10 * time.Minute
			default:
				return true, max(0, 65*time.Second-time.Since(began))
			}
		})
		late := make(chan string, 1)
		go func() {
			r, err := kontinue.RunScript(second.ExecutionContext(), simtest.Script("a", "exit 3"))
			if err == nil && (r.Pod.Status.Phase != corev1.PodFailed || simtest.ExitCode(r) != 3) {
				err = errors.New("the pod contradicts the result")
			}
			late <- digest(r, err)
		}()
		r, err := kontinue.RunScript(first.ExecutionContext(), simtest.Script("a", "exit 3"))
		want := digest(r, err)
		record := w.Jobs()["a"][0].Annotations[outcomeAnnotation]
		for _, pod := range w.Pods() {
			require.NoError(w, w.Cluster.DeletePod(w.Context(), "ns", pod.Name))
		}
		require.Equal(w, want, <-late)
		require.Equal(w, record, w.Jobs()["a"][0].Annotations[outcomeAnnotation])
		require.Equal(w, want, digest(kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("a", "exit 3"))))
	})
}

// TestEndedJobIsNotOverdue: the pods of a Job that ended in time cannot be read
// until long after its deadline.
func TestEndedJobIsNotOverdue(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: 5 * time.Second})
		p := w.Worker()
		w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
			return i.User != p.User || i.Resource != "pods", 0
		})
		time.AfterFunc(3*time.Second, func() {
			undo := w.Cluster.APIServer().AddFault(apiserver.Fault{
				Match: apiserver.Match{User: p.User, Verb: "list", Resource: "pods"}, Before: errors.New("connection refused"),
			})
			time.AfterFunc(125*time.Second, undo)
		})
		opts := simtest.Script("a", "true")
		opts.Timeout = 8 * time.Second
		r, err := kontinue.RunScript(p.ExecutionContext(), opts)
		require.NoError(w, err)
		require.NoError(w, r.Err())
	})
}
