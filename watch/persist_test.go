package watch_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/watch"
)

// TestBackSoonAfterManyOutages: the tenth outage is noticed to be over as soon as
// the first was, and no outage of a connection costs a list.
func TestBackSoonAfterManyOutages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		server := &lines{}
		var lists atomic.Int64
		transport := transportFunc(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("watch") == "" {
				lists.Add(1)
			}
			return server.RoundTrip(r)
		})
		w := watch.New(watch.Config{
			Clientset: over(t, watch.CloseIdle(3*time.Minute)(transport).RoundTrip), Namespace: "ns", Handler: &recorder{},
		})
		t.Cleanup(func() { _ = w.Stop(context.Background()) })
		require.NoError(t, w.Start(t.Context()))
		for range 10 {
			pass(3 * time.Second) // a watch that ends within a second is another matter
			server.refused.Store(true)
			require.NoError(t, server.ofJobs().CloseWithError(errors.New("http2: client connection lost")))
			pass(3 * time.Second)
			require.ErrorContains(t, w.Healthy(), "connection refused")
			server.refused.Store(false)
			over := time.Now()
			for w.Healthy() != nil {
				pass(100 * time.Millisecond)
				require.LessOrEqual(t, time.Since(over), 6*time.Second)
			}
		}
		require.Equal(t, int64(2), lists.Load())
	})
}

// TestPersistence: what may pass is tried again within seconds, and what the API
// server says about the time is kept to.
func TestPersistence(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		answer error
		least  int // lists in ten minutes
		most   int
	}{
		"no answer":           {errors.New("connection refused"), 50, 200},
		"overloaded":          {apierrors.NewTooManyRequestsError("x"), 50, 200},
		"overloaded, told so": {apierrors.NewTooManyRequests("x", 30), 19, 21},
		"unavailable":         {apierrors.NewServiceUnavailable("x"), 50, 200},
	} {
		synctest.Test(t, func(t *testing.T) {
			client := fake.NewClientset()
			var lists atomic.Int64
			client.PrependReactor("list", "jobs", func(clienttesting.Action) (bool, runtime.Object, error) {
				lists.Add(1)
				return true, nil, tc.answer
			})
			w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Handler: &recorder{}})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
			defer cancel()
			began := time.Now()
			require.ErrorIs(t, w.Start(ctx), tc.answer, name)
			require.Equal(t, 10*time.Minute, time.Since(began), name)
			require.GreaterOrEqual(t, int(lists.Load()), tc.least, name)
			require.LessOrEqual(t, int(lists.Load()), tc.most, name)
		})
	}
}
