package watch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/watch"
)

func TestStartNamesTheMissingVerb(t *testing.T) {
	t.Parallel()
	forbidden := func(resource string) error {
		return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no rule allows it"))
	}
	for _, resource := range []string{"jobs", "pods"} {
		for _, verb := range []string{"list", "watch"} {
			t.Run(verb+" "+resource, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					client := fake.NewClientset()
					deny(client, verb, resource, forbidden(resource))
					w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Handler: &recorder{}})
					began := time.Now()
					err := w.Start(t.Context())
					require.Less(t, time.Since(began), 10*time.Second)
					var failed *watch.Error
					require.ErrorAs(t, err, &failed)
					require.Equal(t, verb, failed.Verb)
					require.Equal(t, resource, failed.Resource)
					require.ErrorContains(t, err, fmt.Sprintf("grant verb %q on resource %q", verb, resource))
					require.True(t, apierrors.IsForbidden(failed))
					require.NoError(t, w.Stop(t.Context()))
				})
			})
		}
	}
}

func TestStartIsBoundedAndSaysWhy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var up atomic.Bool
		client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return !up.Load(), nil, errors.New("connection refused")
		})
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Handler: &recorder{}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		err := w.Start(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, `list pods in namespace "ns": connection refused`)
		require.Error(t, w.Healthy())

		up.Store(true)
		require.NoError(t, w.Start(t.Context()), "a failed start cannot be repeated")
		require.NoError(t, w.Start(t.Context()))
		require.NoError(t, w.Healthy())
		require.NoError(t, w.Stop(t.Context()))
		require.NoError(t, w.Stop(t.Context()))
		require.ErrorIs(t, w.Start(t.Context()), watch.ErrStopped)
		require.ErrorIs(t, w.Healthy(), watch.ErrStopped)
	})
}

// TestStartWhenTheJobsNeverSync: the Pods wait for them, and the error names both.
func TestStartWhenTheJobsNeverSync(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		transport transportFunc
		want      string
	}{
		"refused": {
			func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
			`connection refused`,
		},
		"no answer": {
			func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			},
			`no answer to list and watch of jobs in namespace "ns"`,
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := watch.New(watch.Config{Clientset: over(t, tc.transport), Namespace: "ns", Handler: &recorder{}})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			began := time.Now()
			started := make(chan error, 1)
			go func() { started <- w.Start(ctx) }()
			pass(time.Second)
			const notBegun = `list and watch of pods in namespace "ns" have not begun: they follow the jobs`
			require.ErrorContains(t, w.Healthy(), notBegun, name)
			short, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for _, err := range []error{w.Start(short), <-started} {
				require.ErrorIs(t, err, context.DeadlineExceeded, name)
				require.ErrorContains(t, err, tc.want, name)
				require.ErrorContains(t, err, notBegun, name)
			}
			require.Equal(t, 30*time.Second, time.Since(began), name)
			require.NoError(t, w.Stop(t.Context()), name)
		})
	}
}

// TestPodsFollowTheJobs: they are not requested before the handler has seen every Job.
func TestPodsFollowTheJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(job("a", "j1", "1"))
		podRequests := func() (n int) {
			for _, a := range client.Actions() {
				if a.GetResource().Resource == "pods" {
					n++
				}
			}
			return n
		}
		slow := &slowHandler{release: make(chan struct{})}
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Handler: slow})
		started := make(chan error)
		go func() { started <- w.Start(t.Context()) }()
		pass(time.Minute)
		require.Zero(t, podRequests())
		close(slow.release)
		require.NoError(t, <-started)
		require.Equal(t, 2, podRequests(), "list and watch")
		require.NoError(t, w.Stop(t.Context()))
	})
}

func TestStopEndsAStartThatWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		deny(client, "list", "jobs", errors.New("connection refused"))
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Handler: &recorder{}})
		failed := make(chan error)
		go func() { failed <- w.Start(context.Background()) }()
		synctest.Wait()
		require.NoError(t, w.Stop(t.Context()))
		require.ErrorIs(t, <-failed, watch.ErrStopped)
	})
}

func TestHealthFollowsTheWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		stream := apiwatch.NewFake()
		var served, up atomic.Bool
		client.PrependWatchReactor("pods", func(clienttesting.Action) (bool, apiwatch.Interface, error) {
			if served.CompareAndSwap(false, true) {
				return true, stream, nil
			}
			return !up.Load(), nil, errors.New("connection reset")
		})
		w, _ := start(t, client)
		require.NoError(t, w.Healthy())
		stream.Stop()
		pass(10 * time.Second)
		require.ErrorContains(t, w.Healthy(), "connection reset")
		up.Store(true)
		pass(2 * time.Minute)
		require.NoError(t, w.Healthy())
	})
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// over returns a clientset with a transport.
func over(t *testing.T, transport transportFunc) kubernetes.Interface {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: "http://api", QPS: -1, Transport: transport})
	require.NoError(t, err)
	return clientset
}

// TestStartAfterAShorterOne: a caller is bounded by its own context, not by that of the
// first caller.
func TestStartAfterAShorterOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		began := time.Now()
		client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, runtime.Object, error) {
			return time.Since(began) < 20*time.Second, nil, errors.New("connection refused")
		})
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Handler: &recorder{}})
		short, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		first := make(chan error)
		go func() { first <- w.Start(short) }()
		synctest.Wait()
		long, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		second := make(chan error)
		go func() { second <- w.Start(long) }()
		require.ErrorIs(t, <-first, context.DeadlineExceeded)
		require.NoError(t, <-second)
		require.NoError(t, w.Healthy())
		require.NoError(t, w.Stop(t.Context()))
	})
}

type slowHandler struct {
	recorder
	release chan struct{}
}

func (h *slowHandler) JobChanged(*watch.Job) { <-h.release }

// TestStopWaitsForAStartThatGivesUp: Stop waits for the goroutines of a failed start.
func TestStopWaitsForAStartThatGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		slow := &slowHandler{release: make(chan struct{})}
		w := watch.New(watch.Config{Clientset: fake.NewClientset(job("a", "a", "1")), Namespace: "ns", Handler: slow})
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		started := make(chan error, 1)
		go func() { started <- w.Start(short) }()
		pass(2 * time.Second)
		bounded, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		require.ErrorContains(t, w.Stop(bounded), "informers have not ended")
		close(slow.release)
		require.NoError(t, w.Stop(t.Context()))
		synctest.Wait()
		require.ErrorIs(t, <-started, context.DeadlineExceeded)
	})
}

// TestListWithoutAnAnswerIsAbandoned: its error is not that of the caller's context.
func TestListWithoutAnAnswerIsAbandoned(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := over(t, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Handler: &recorder{}})
		began := time.Now()
		_, err := w.ListPods(t.Context(), "ns", "uid")
		require.ErrorContains(t, err, `list pods in namespace "ns": no answer within 1m15s`)
		require.NotErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 75*time.Second, time.Since(began))
	})
}
