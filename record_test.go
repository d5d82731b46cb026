package kontinue_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
)

// TestFirstRecordStands: the second worker sees the end late, its pods later still,
// and by then they are gone. It gives out what the first one has recorded, with a
// pod that says the same.
func TestFirstRecordStands(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.cluster.On(kubelet.Match{}, kubelet.Script{Run: time.Minute, Exit: kubelet.Exit{Code: 3}})
		first, second := w.worker(), w.worker()
		began := time.Now()
		w.cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
			switch {
			case i.User != second.user || time.Since(began) <= 30*time.Second:
				return true, 0
			case i.Resource == "pods":
				return true, 10 * time.Minute
			default:
				return true, max(0, 65*time.Second-time.Since(began))
			}
		})
		late := make(chan string, 1)
		go func() {
			r, err := kontinue.RunScript(second.context(), script("a", "exit 3"))
			if err == nil && (r.Pod.Status.Phase != corev1.PodFailed || exitCode(r) != 3) {
				err = errors.New("the pod says otherwise than the result")
			}
			late <- digest(r, err)
		}()
		r, err := kontinue.RunScript(first.context(), script("a", "exit 3"))
		want := digest(r, err)
		record := w.jobs()["a"][0].Annotations[outcomeAnnotation]
		for _, pod := range w.pods() {
			require.NoError(w, w.cluster.DeletePod(w.Context(), "ns", pod.Name))
		}
		require.Equal(w, want, <-late)
		require.Equal(w, record, w.jobs()["a"][0].Annotations[outcomeAnnotation])
		require.Equal(w, want, digest(kontinue.RunScript(w.worker().context(), script("a", "exit 3"))))
	})
}

// TestEndedJobIsNotOverdue: its pods cannot be read until long after the deadline.
func TestEndedJobIsNotOverdue(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.cluster.On(kubelet.Match{}, kubelet.Script{Run: 5 * time.Second})
		p := w.worker()
		w.cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
			return i.User != p.user || i.Resource != "pods", 0
		})
		time.AfterFunc(3*time.Second, func() {
			undo := w.cluster.APIServer().AddFault(apiserver.Fault{
				Match: apiserver.Match{User: p.user, Verb: "list", Resource: "pods"}, Before: errors.New("connection refused"),
			})
			time.AfterFunc(125*time.Second, undo)
		})
		opts := script("a", "true")
		opts.Timeout = 8 * time.Second
		r, err := kontinue.RunScript(p.context(), opts)
		require.NoError(w, err)
		require.NoError(w, r.Err())
	})
}
