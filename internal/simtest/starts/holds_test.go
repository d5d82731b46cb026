package starts_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// TestSuspendedDoesNotCount: a queue holds the Job for a day, and then the pod needs
// fourteen minutes for a node.
func TestSuspendedDoesNotCount(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Unschedulable: 14 * time.Minute})
		o := &kontinue.JobOptions{StepOptions: kontinue.StepOptions{Name: "a"}, Spec: batchv1.JobSpec{
			Suspend: new(true), Template: corev1.PodTemplateSpec{Spec: oneContainer(nil).Spec},
		}}
		time.AfterFunc(24*time.Hour, func() {
			_, err := w.Admin().BatchV1().Jobs("ns").Patch(w.Context(), w.Jobs()["a"][0].Name, types.MergePatchType, []byte(`{"spec":{"suspend":false}}`), metav1.PatchOptions{})
			if err != nil {
				t.Error(err)
			}
		})
		r, err := kontinue.RunJob(w.Worker().ExecutionContext(), o)
		require.NoError(w, err)
		require.NoError(w, r.Err())
	})
}

// TestInitContainerDoesNotCount: the time of a container begins with the end of the init
// container before it.
func TestInitContainerDoesNotCount(t *testing.T) {
	t.Parallel()
	for name, after := range map[string]time.Duration{"heals": 4 * time.Minute, "does not": containers.Forever} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{Container: "init", AnyRole: true}, containers.Script{Run: 2 * time.Hour})
				w.Cluster.On(containers.Match{Container: "main"}, containers.Script{PullError: "ErrImagePull", PullErrorFor: after})
				began := time.Now()
				r, err := kontinue.RunPod(w.Worker().ExecutionContext(), oneContainer(func(s *corev1.PodSpec) {
					s.InitContainers = []corev1.Container{{Name: "init", Image: "alpine:3"}}
				}))
				require.NoError(w, err)
				if after < time.Hour {
					require.NoError(w, r.Err())
					return
				}
				requireGivenUp(w, r, "ImagePull", `container "main"`)
				require.Greater(w, time.Since(began), 2*time.Hour+5*time.Minute)
				require.Less(w, time.Since(began), 2*time.Hour+7*time.Minute)
			})
		})
	}
}

// TestOthersOfTheJobRun: a Job of which one pod runs is not stopped because another one
// cannot start, until the first has ended.
func TestOthersOfTheJobRun(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{Index: new(0)}, containers.Script{Run: 3 * time.Hour})
		w.Cluster.On(containers.Match{Index: new(1)}, containers.Script{PullError: "ErrImagePull"})
		mode := batchv1.IndexedCompletion
		began := time.Now()
		r, err := kontinue.RunJob(w.Worker().ExecutionContext(), &kontinue.JobOptions{
			StepOptions: kontinue.StepOptions{Name: "a"},
			Spec: batchv1.JobSpec{
				CompletionMode: &mode, Completions: new(int32(2)), Parallelism: new(int32(2)),
				Template: corev1.PodTemplateSpec{Spec: oneContainer(nil).Spec},
			},
		})
		require.NoError(w, err)
		require.False(w, r.Complete())
		require.Contains(w, r.Message, "gave up after 5m0s")
		require.Greater(w, time.Since(began), 3*time.Hour)
		require.Less(w, time.Since(began), 3*time.Hour+8*time.Minute)
	})
}

// TestDeadNode: a pod on a node that died runs for ever as far as the API server knows. The
// step ends within half an hour, and its next run waits until the node is removed.
func TestDeadNode(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: 10 * time.Minute})
		time.AfterFunc(time.Minute, func() {
			pod := w.Pods()[0]
			if err := w.Cluster.KillNode(w.Context(), pod.Spec.NodeName); err != nil {
				t.Error(err)
			}
			w.Sleep(340 * time.Second) // until the node counts as unreachable, and its pods are evicted
			if err := w.Cluster.DeletePod(w.Context(), "ns", pod.Name); err != nil {
				t.Error(err)
			}
		})
		began := time.Now()
		r, err := kontinue.RunPod(w.Worker().ExecutionContext(), oneContainer(nil))
		require.NoError(w, err)
		requireGivenUp(w, r, "NodeLost", "alive?")
		require.Less(w, time.Since(began), 30*time.Minute)
		require.Empty(w, w.Jobs()["a"][0].Status.CompletionTime)
	})
}

// TestOutageIsNoEvidence: while the API server gives no answer nothing is given up, and a
// pod that has started meanwhile keeps running.
func TestOutageIsNoEvidence(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull", PullErrorFor: 3 * time.Minute, Run: time.Hour})
		p := w.Worker()
		time.AfterFunc(2*time.Minute, func() {
			end := simtest.Trouble{Faults: []apiserver.Fault{{Before: simtest.ErrRefused}}, Cut: true}.Begin(w, p.User)
			time.AfterFunc(20*time.Minute, end)
		})
		r, err := kontinue.RunPod(p.ExecutionContext(), oneContainer(nil))
		require.NoError(w, err)
		require.NoError(w, r.Err())
		w.RequireRanOnce(map[string]int{"a": 1})
	})
}

// TestLostAnswerToGivingUp: the request that stops the Job takes effect and its answer is
// lost, or the worker dies with it. The result is the same.
func TestLostAnswerToGivingUp(t *testing.T) {
	t.Parallel()
	for name, dies := range map[string]bool{"lost": false, "dies": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull"})
				p := w.Worker()
				w.Cluster.APIServer().AddFault(apiserver.Fault{
					Match: apiserver.Match{User: p.User, Verb: "patch", Resource: "jobs"}, Times: 1, After: errors.New("connection reset"),
				})
				if dies {
					w.Cluster.APIServer().AddAudit(func(r apiserver.Request, err error) {
						if r.User == p.User && r.Verb == "patch" && err != nil {
							p.Kill()
						}
					})
				}
				r, err := kontinue.RunPod(p.ExecutionContext(), oneContainer(nil))
				if dies {
					require.ErrorIs(w, err, simtest.ErrKilled)
					r, err = kontinue.RunPod(w.Worker().ExecutionContext(), oneContainer(nil))
				}
				require.NoError(w, err)
				requireGivenUp(w, r, "ImagePull", "image")
			})
		})
	}
}

// TestEventsAreReadOnce: a hundred Jobs without a pod cost one read of Events each, and
// without the right to read them none is explained, and nothing else changes.
func TestEventsAreReadOnce(t *testing.T) {
	t.Parallel()
	for name, refused := range map[string]bool{"granted": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				p := w.Worker()
				if refused {
					w.Cluster.APIServer().AddFault(apiserver.Fault{Match: apiserver.Match{User: p.User, Resource: "events"}, Before: simtest.ErrForbidden})
				}
				ktx := p.ExecutionContext()
				const steps = 40
				messages := make(chan string, steps)
				for i := range steps {
					o := oneContainer(func(s *corev1.PodSpec) { s.ServiceAccountName = "missing" })
					o.Name = "a" + string(rune('a'+i/26)) + string(rune('a'+i%26))
					go func() {
						r, err := kontinue.RunPod(ktx, o)
						if err != nil {
							messages <- err.Error()
							return
						}
						messages <- r.Message
					}()
				}
				for range steps {
					message := <-messages
					require.Contains(w, message, "no pod was created")
					if !refused {
						require.Contains(w, message, `serviceaccount "missing" not found`)
					}
				}
				stats := w.Cluster.APIServer().Stats()
				for _, verb := range []string{"create", "get", "list", "patch"} {
					t.Logf("%s: %.2f for each step, of which events %d", verb, float64(stats.Count(p.User, verb, ""))/steps, stats.Count(p.User, verb, "events"))
				}
				reads := stats.Count(p.User, "list", "events")
				if refused {
					require.LessOrEqual(w, reads, 2)
				} else {
					require.Equal(w, steps, reads)
				}
			})
		})
	}
}

// TestBackOffReadsNothing: a look that was planned for another reason comes while the Job
// has no pod between two tries, which is no problem yet.
func TestBackOffReadsNothing(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{Run: 173 * time.Second, Exit: containers.Exit{Code: 39}})
		p := w.Worker()
		opts := &kontinue.JobOptions{Spec: batchv1.JobSpec{BackoffLimit: new(int32(2)), Template: corev1.PodTemplateSpec{Spec: oneContainer(nil).Spec}}}
		r, err := kontinue.RunJob(p.ExecutionContext(), opts)
		require.NoError(w, err)
		require.Equal(w, int32(3), r.FailedPods)
		require.Zero(w, w.Cluster.APIServer().Stats().Count(p.User, "list", "events"))
	})
}
