package kontinuetest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
	"github.com/kontinue/kontinue/kontinuetest"
)

func script(ktx *kontinue.ExecutionContext, name, command string) (*kontinue.PodResult, error) {
	return kontinue.RunScript(ktx, &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: name}, Image: "alpine:3", Command: command,
	})
}

func TestPlays(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		play *kontinuetest.Play
		took time.Duration
		code int32
		is   error
		log  string
		text string // the termination message
	}{
		"no script":     {play: kontinuetest.Job("s")},
		"exit code":     {play: kontinuetest.Job("s").Exit(3), code: 3},
		"time":          {play: kontinuetest.Job("s").Pending(4 * time.Minute).Pull(time.Minute).Run(time.Hour), took: 65 * time.Minute},
		"pull recovers": {play: kontinuetest.Job("s").PullError("ErrImagePull", "429", 20*time.Second), took: 20 * time.Second},
		"out of memory": {play: kontinuetest.Job("s").OOM(), code: 137, is: kontinue.ErrOOMKilled},
		"start error":   {play: kontinuetest.Job("s").StartError("no such file"), code: 128},
		"log":           {play: kontinuetest.Job("s").Log("one").LogAfter(time.Second, "two").Run(time.Minute), took: time.Minute, log: "one\ntwo\n"},
		"function": {play: kontinuetest.Job("s").Do(func(_ context.Context, _ map[string]string, log io.Writer) int32 {
			_, _ = fmt.Fprintln(log, "computed")
			return 9
		}).Message("why"), code: 9, log: "computed\n", text: "why"},
		"every step": {play: kontinuetest.Job("").Exit(4), code: 4},
		"message":    {play: kontinuetest.Job("s").Message("because").Exit(5), code: 5, text: "because"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := kontinuetest.New(t)
				c.Play(tc.play)
				ktx := c.Run(c.NewExecution("e"))
				began := time.Now()
				r, err := script(ktx, "s", "true")
				require.NoError(t, err)
				require.GreaterOrEqual(t, time.Since(began), tc.took)
				log, logErr := r.Logs(ktx, nil)
				require.Equal(t, tc.log, log, "%v", logErr)
				if tc.code == 0 {
					require.NoError(t, r.Err())
					return
				}
				var failed *kontinue.ExitError
				require.ErrorAs(t, r.Err(), &failed)
				require.Equal(t, tc.code, failed.ExitCode)
				if tc.text != "" {
					require.Regexp(t, fmt.Sprintf(`^container "script" failed: exit code %d: %s$`, tc.code, tc.text), failed.Message)
				}
				if tc.is != nil {
					require.ErrorIs(t, r.Err(), tc.is)
				}
			})
		})
	}
}

func TestThenAppliesToTheNextPod(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t, kontinuetest.InNamespace("ci"))
		c.Play(kontinuetest.Job("flaky").Exit(1).Then().Exit(2).Then().Log("at last"))
		r, err := kontinue.RunJob(c.Run(c.NewExecution("e")), &kontinue.JobOptions{
			StepOptions: kontinue.StepOptions{Name: "flaky"},
			Spec: batchv1.JobSpec{BackoffLimit: ptr.To[int32](2), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				Containers: []corev1.Container{{Name: "main", Image: "i"}},
			}}},
		})
		require.NoError(t, err)
		require.True(t, r.Complete())
		require.EqualValues(t, 2, r.FailedPods)
		require.EqualValues(t, 1, r.SucceededPods)
		require.Len(t, r.Pods, 3)
		for i, code := range []int32{1, 2, 0} {
			require.Equal(t, code, r.Pods[i].Pod.Status.ContainerStatuses[0].State.Terminated.ExitCode)
			require.Equal(t, "ci", r.Pods[i].Pod.Namespace)
		}
	})
}

func TestDisruptions(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		disrupt func(c *kontinuetest.Cluster, pod string)
		lost    error
	}{
		"pod deleted":       {disrupt: func(c *kontinuetest.Cluster, pod string) { c.DeletePod(pod) }},
		"pod evicted":       {disrupt: func(c *kontinuetest.Cluster, pod string) { c.EvictPod(pod) }},
		"execution deleted": {disrupt: func(c *kontinuetest.Cluster, _ string) { c.DeleteExecution("e") }, lost: kontinue.ErrJobDeleted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := kontinuetest.New(t)
				c.Play(kontinuetest.Job("s").Hang())
				ktx := c.Run(c.NewExecution("e"))
				var r *kontinue.PodResult
				var err error
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					r, err = script(ktx, "s", "sleep inf")
				}()
				tc.disrupt(c, c.Running("s").Name)
				<-ended
				if tc.lost != nil {
					require.ErrorIs(t, err, tc.lost)
					return
				}
				require.NoError(t, err)
				require.False(t, r.Succeeded())
			})
		})
	}
}

func TestWatchFaultsLoseNoResult(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(*kontinuetest.Cluster){
		"cut":     (*kontinuetest.Cluster).CutWatches,
		"expired": (*kontinuetest.Cluster).ExpireWatches,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := kontinuetest.New(t)
				c.Play(kontinuetest.Job("s").Run(time.Second).Exit(6))
				ktx := c.Run(c.NewExecution("e"))
				ended := make(chan error)
				go func() {
					r, err := script(ktx, "s", "exit 6")
					if err == nil {
						err = r.Err()
					}
					ended <- err
				}()
				c.Running("s")
				fault(c)
				var failed *kontinue.ExitError
				require.ErrorAs(t, <-ended, &failed)
				require.EqualValues(t, 6, failed.ExitCode)
			})
		})
	}
}

func TestLostAnswerCreatesNoSecondJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		c.LoseAnswers("create", "jobs", 1, errors.New("connection reset by peer"))
		c.FailRequests("patch", "jobs", 1, errors.New("connection refused"))
		r, err := script(c.Run(c.NewExecution("e")), "s", "true")
		require.NoError(t, err)
		require.True(t, r.Succeeded())
		require.True(t, r.Resumed(), "the step must adopt the Job of the lost answer")
		list, err := c.Clientset().BatchV1().Jobs(kontinuetest.Namespace).List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
	})
}

func TestNodeRestarts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		c.Play(kontinuetest.Job("s").Hang())
		ktx := c.Run(c.NewExecution("e"))
		ended := make(chan error)
		go func() {
			r, err := script(ktx, "s", "sleep inf")
			if err == nil {
				err = r.Err()
			}
			ended <- err
		}()
		c.Running("s")
		c.KillNode()
		c.RestartNode()
		var failed *kontinue.ExitError
		require.ErrorAs(t, <-ended, &failed)
	})
}

func TestTimeoutOnADeadNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		c.Play(kontinuetest.Job("s").Hang())
		ktx := c.Run(c.NewExecution("e"))
		ended := make(chan error)
		go func() {
			_, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
				StepOptions: kontinue.StepOptions{Name: "s", Timeout: time.Minute}, Image: "alpine:3", Command: "sleep inf",
			})
			ended <- err
		}()
		c.Running("s")
		c.KillNode()
		err := <-ended
		require.ErrorIs(t, err, kontinue.ErrDeadlineExceeded)
		require.ErrorContains(t, err, "1 terminating")
	})
}

func TestLocalProcesses(t *testing.T) {
	t.Parallel()
	c := kontinuetest.New(t, kontinuetest.LocalProcesses(), kontinuetest.QuickRetries())
	ktx := c.Run(c.NewExecution("e"))
	r, err := script(ktx, "s", "echo from a real shell; exit 7")
	require.NoError(t, err)
	var failed *kontinue.ExitError
	require.ErrorAs(t, r.Err(), &failed)
	require.EqualValues(t, 7, failed.ExitCode)
	summary, err := r.LogErrorSummary(ktx)
	require.NoError(t, err)
	require.Equal(t, "from a real shell", summary)
}

// TestObserverSeesRequests: the client has a RESTConfig, as that of a program has.
func TestObserverSeesRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		config := c.Config()
		seen := map[string]int{} // the calls of an observer do not overlap
		config.Observer = &kontinue.Observer{RequestDone: func(r kontinue.RequestInfo) { seen[r.Verb+" "+r.Resource]++ }}
		client, err := kontinue.New(config)
		require.NoError(t, err)
		require.NoError(t, client.Start(t.Context()))
		ktx, err := client.NewExecutionContext(t.Context(), c.NewExecution("e"))
		require.NoError(t, err)
		_, err = script(ktx, "s", "true")
		require.NoError(t, err)
		require.NoError(t, client.Stop(t.Context()))
		require.Equal(t, 1, seen["create jobs"])
		require.Equal(t, 1, seen["patch jobs"])
	})
}

// TestNoLimitOfRequests: client-go's own limit of 5 requests a second does not slow down a
// client that the program makes itself.
func TestNoLimitOfRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t)
		clientset, err := kubernetes.NewForConfig(c.Config().RESTConfig)
		require.NoError(t, err)
		began := time.Now()
		for range 100 {
			_, err := clientset.BatchV1().Jobs(kontinuetest.Namespace).List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
		}
		require.Zero(t, time.Since(began))
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := kontinuetest.New(t, kontinuetest.WithOptions(func(o *devcluster.Options) { o.RealDelays = true }))
		began := time.Now()
		_, err := script(c.Run(c.NewExecution("e")), "s", "true")
		require.NoError(t, err)
		require.Equal(t, 700*time.Millisecond, time.Since(began))
	})
}

// TestBadInputFailsTheTest: what would be ignored is an error in the test.
func TestBadInputFailsTheTest(t *testing.T) {
	t.Parallel()
	for says, test := range map[string]func(t testing.TB){
		"the API server has no such requests": func(t testing.TB) {
			kontinuetest.New(t).FailRequests("create", "job", 1, errors.New("refused"))
		},
		`namespaces "ci" not found`: func(t testing.TB) {
			_, err := kontinuetest.New(t).Clientset().CoreV1().ConfigMaps("ci").Create(t.Context(), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: "a"},
			}, metav1.CreateOptions{})
			require.NoError(t, err)
		},
		`want a cluster with Containers "Scripts"`: func(t testing.TB) {
			kontinuetest.New(t, kontinuetest.LocalProcesses()).Play(kontinuetest.Job("s"))
		},
		"creating the namespace of the Executions": func(t testing.TB) {
			kontinuetest.New(t, kontinuetest.InNamespace("kube-system"))
		},
	} {
		require.Contains(t, failure(t, test), says)
	}
}
