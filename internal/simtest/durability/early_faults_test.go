package durability_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestEndOfTheExecutionAfterAnEarlyEnd: Finish leaves the Job to end by itself, and its TTL
// removes it then; Cancel stops it. The record stands.
func TestEndOfTheExecutionAfterAnEarlyEnd(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(*kontinue.Client, context.Context, kontinue.Execution) error{
		"Finish": (*kontinue.Client).Finish, "Cancel": (*kontinue.Client).Cancel,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.RunReal(t, func(w *simtest.World) {
				w.Execution.TTL = &metav1.Duration{Duration: time.Minute}
				p := w.Worker()
				r, _ := timed(w, p, 0, 0)
				for range 3 {
					require.NoError(t, end(p.Client, w.Context(), w.Execution))
				}
				require.Less(t, untilTerminal(w), 5*time.Second)
				require.Equal(t, name == "Cancel", status(w).Failed)
				again, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "true"))
				require.NoError(t, err)
				requireSameResult(t, r, again)
				w.Sleep(2 * time.Minute)
				require.Len(t, w.Jobs()["step"], map[string]int{"Finish": 0, "Cancel": 1}[name])
			})
		})
	}
}

// TestFinishOfAJobOnADeadNode: the pod of a recorded Job never becomes final, since its
// node has died in that second. The deadline that Finish sets ends the Job, and the TTL
// removes it.
func TestFinishOfAJobOnADeadNode(t *testing.T) {
	t.Parallel()
	simtest.RunReal(t, func(w *simtest.World) {
		w.Execution.TTL = &metav1.Duration{Duration: time.Minute}
		p := w.Worker()
		timed(w, p, 0, 0)
		require.NoError(t, w.Cluster.KillNode(w.Context(), w.Pods()[0].Spec.NodeName))
		require.NoError(t, p.Client.Finish(w.Context(), w.Execution))
		job := w.Jobs()["step"][0]
		require.NotNil(t, job.Spec.ActiveDeadlineSeconds)
		require.InDelta(t, 60+30, *job.Spec.ActiveDeadlineSeconds, 5)
	})
}

// TestCrashAtAnEarlyEnd kills the worker at each of its requests, before and after the API
// server has carried it out. The next one returns what the step has been, once.
func TestCrashAtAnEarlyEnd(t *testing.T) {
	t.Parallel()
	for _, code := range []int32{0, 3} {
		for _, before := range []bool{true, false} {
			for _, pause := range []time.Duration{0, 500 * time.Millisecond, time.Minute} {
				simtest.RunReal(t, func(w *simtest.World) {
					w.Cluster.On(containers.Match{}, containers.Script{Run: processEnds, Exit: containers.Exit{Code: code}})
					p := w.Worker()
					ktx := p.ExecutionContext()
					p.KillAt(2, before)
					_, err := kontinue.RunScript(ktx, simtest.Script("step", "true"))
					require.ErrorIs(t, err, simtest.ErrKilled)
					w.Sleep(pause)
					r, err := kontinue.RunScript(w.Worker().ExecutionContext(), simtest.Script("step", "true"))
					require.NoError(t, err)
					require.Equal(t, code == 0, r.Succeeded())
					require.Equal(t, code, simtest.ExitCode(r))
					w.RequireRanOnce(map[string]int{"step": 1})
				})
			}
		}
	}
}

// TestWhatOthersDoAtAnEarlyEnd changes pod or Job in the second in which the containers
// have terminated and the phase is not final, before the worker has seen either.
func TestWhatOthersDoAtAnEarlyEnd(t *testing.T) {
	t.Parallel()
	patch := func(w *simtest.World, text string) {
		job := w.Jobs()["step"][0]
		_, err := w.Admin().BatchV1().Jobs("ns").Patch(w.Context(), job.Name, types.MergePatchType, []byte(text), metav1.PatchOptions{})
		require.NoError(w, err)
	}
	for name, tc := range map[string]struct {
		act  func(w *simtest.World)
		want bool // it succeeds; the pod had ended
	}{
		"the pod is deleted": {func(w *simtest.World) {
			require.NoError(w, w.Admin().CoreV1().Pods("ns").Delete(w.Context(), w.Pods()[0].Name, metav1.DeleteOptions{}))
		}, true},
		"the Job is suspended": {func(w *simtest.World) {
			patch(w, `{"spec":{"suspend":true}}`)
			time.AfterFunc(10*time.Second, func() { patch(w, `{"spec":{"suspend":false}}`) })
		}, true},
		"the deadline is over": {func(w *simtest.World) { patch(w, `{"spec":{"activeDeadlineSeconds":30}}`) }, false},
		"nothing":              {func(*simtest.World) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.RunReal(t, func(w *simtest.World) {
				time.AfterFunc(terminated+100*time.Millisecond, func() { tc.act(w) })
				w.Cluster.APIServer().SetWatchHook(func(i apiserver.WatchInfo, e watch.Event) (bool, time.Duration) {
					pod, ok := e.Object.(*corev1.Pod)
					held := ok && i.User == "worker-1" && pod.Status.Phase == corev1.PodRunning && pod.DeletionTimestamp == nil &&
						len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].State.Terminated != nil
					return true, map[bool]time.Duration{true: 300 * time.Millisecond}[held]
				})
				r, _ := timed(w, w.Worker(), 0, 0)
				untilTerminal(w)
				if tc.want {
					require.True(t, r.Succeeded(), r.Message)
				}
				require.Equal(t, !status(w).Failed, r.Succeeded(), "%s: %s", status(w).Reason, r.Message)
				require.Len(t, w.Jobs()["step"], 1)
				require.LessOrEqual(t, len(w.Pods()), 1, "nothing ran twice")
			})
		})
	}
}
