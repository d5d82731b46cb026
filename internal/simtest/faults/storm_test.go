package faults_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// canary is a secret, which only the Job itself may hold.
const canary = "canary-5f2d9c"

// storm injects one fault after another into the requests and watches of a user for two
// minutes.
func storm(w *simtest.World, rnd *rand.Rand, user string) {
	server := w.Cluster.APIServer()
	answers := []error{
		simtest.ErrRefused, simtest.ErrExpired, apierrors.NewInternalError(fmt.Errorf("etcdserver: request timed out")),
		apierrors.NewServiceUnavailable("the server is shutting down"),
		apierrors.NewTooManyRequests("too many requests", 1), apierrors.NewTimeoutError("timed out", 0),
	}
	match, mine := apiserver.WatchMatch{User: user}, apiserver.Match{User: user}
	var hiccup sync.Map // the delay of the watch, by resource
	server.SetWatchHook(func(i apiserver.WatchInfo, _ watch.Event) (bool, time.Duration) {
		if late, ok := hiccup.Load(i.Resource); ok && i.User == user {
			return true, late.(time.Duration) //nolint:forcetypeassert // stored below
		}
		return true, 0
	})
	var undo []func()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); {
		w.Sleep(time.Duration(rnd.IntN(5000)) * time.Millisecond)
		mine.Verb = []string{"", "create", "patch", "get", "list", "watch"}[rnd.IntN(6)]
		answer, times := answers[rnd.IntN(len(answers))], 1+rnd.IntN(5)
		switch rnd.IntN(9) {
		case 0:
			server.CutWatches(match)
		case 1:
			server.ExpireWatches(match)
		case 2:
			server.StallWatches(match)
			time.AfterFunc(45*time.Second, func() { server.CutWatches(match) }) // as HTTP/2 pings do
		case 3:
			server.CompactHistory()
			server.CutWatches(match)
		case 4, 5:
			undo = append(undo, server.AddFault(apiserver.Fault{Match: mine, Times: times, Before: answer}))
		case 6, 7:
			undo = append(undo, server.AddFault(apiserver.Fault{Match: mine, Times: times, After: answer}))
		case 8:
			resource := []string{"jobs", "pods"}[rnd.IntN(2)]
			hiccup.Store(resource, time.Duration(rnd.IntN(8000))*time.Millisecond)
			time.AfterFunc(5*time.Second, func() { hiccup.Delete(resource) })
		}
	}
	for _, u := range undo {
		u()
	}
}

// TestStorms: under all kinds of faults at once every wait must return the right
// result, and no log line, error, Event or annotation may hold a secret.
func TestStorms(t *testing.T) {
	t.Parallel()
	for seed := range uint64(12) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) { oneStorm(w, rand.New(rand.NewPCG(seed, 6))) })
		})
	}
}

func oneStorm(w *simtest.World, rnd *rand.Rand) {
	const steps = 25
	codes, want := [steps]int32{}, map[string]int{}
	for i := range steps {
		name := fmt.Sprintf("step-of-%d", i)
		codes[i], want[name] = int32(rnd.IntN(3)*rnd.IntN(40)), 1
		w.Cluster.On(containers.Match{Step: name}, containers.Script{
			Run: time.Duration(rnd.IntN(90)) * time.Second, Exit: containers.Exit{Code: codes[i]},
		})
	}
	var said simtest.Log
	client, log := w.NewClient("worker", func(c *kontinue.Config) {
		c.OnProgress = func(p kontinue.Progress) { fmt.Fprintf(&said, "%+v\n", p) }
	})
	require.NoError(w, client.Start(w.Context()))
	ktx, err := client.NewExecutionContext(w.Context(), w.Execution)
	require.NoError(w, err)
	var wait sync.WaitGroup
	for i := range steps {
		begin := time.Duration(rnd.IntN(60)) * time.Second
		wait.Go(func() {
			w.Sleep(begin)
			options := simtest.Script(fmt.Sprintf("step-of-%d", i), "login --token="+canary)
			r, err := kontinue.RunPod(ktx, &kontinue.PodOptions{StepOptions: options.StepOptions, Spec: corev1.PodSpec{Containers: []corev1.Container{{
				Name: "c", Image: "alpine:3", Command: []string{options.Command}, Args: []string{"--password", canary},
				Env: []corev1.EnvVar{{Name: "PASSWORD", Value: canary}},
			}}}})
			fmt.Fprintln(&said, err)
			require.NoError(w, err)
			require.Equal(w, codes[i], simtest.ExitCode(r))
			require.Equal(w, codes[i] == 0, r.Succeeded())
			fmt.Fprintln(&said, r.Message, r.Err())
		})
	}
	storm(w, rnd, "worker")
	wait.Wait()
	w.RequireRanOnce(want)
	w.Sleep(2 * time.Minute)
	require.NoError(w, client.Healthy())
	require.Zero(w, w.StopClient(client))

	for _, jobs := range w.Jobs() {
		for name, value := range jobs[0].Annotations {
			require.NotContains(w, value, canary, name)
		}
		require.Contains(w, jobs[0].Spec.Template.Spec.Containers[0].Args, canary, "it is there")
	}
	events, err := w.Admin().CoreV1().Events("ns").List(context.Background(), metav1.ListOptions{})
	require.NoError(w, err)
	require.NotEmpty(w, events.Items)
	for _, event := range events.Items {
		fmt.Fprintln(&said, event.String())
	}
	require.Positive(w, strings.Count(log.String(), "\n"))
	require.NotContains(w, log.String(), canary)
	require.NotContains(w, said.String(), canary)
}
