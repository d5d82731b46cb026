package watch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/watch"
)

// TestStopEndsTheChangeToPairs: the handler holds up the end of the cluster-wide pair, and
// with it the start.
func TestStopEndsTheChangeToPairs(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		end  func(w *watch.Watcher, cancel context.CancelFunc) error
		want error
	}{
		"Stop": {func(w *watch.Watcher, _ context.CancelFunc) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			return w.Stop(ctx)
		}, watch.ErrStopped},
		"the context": {func(_ *watch.Watcher, cancel context.CancelFunc) error { cancel(); return context.Canceled }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset(inThree()...)
				// Refused when a Job has come whose handler blocks.
				client.PrependWatchReactor("jobs", func(a clienttesting.Action) (bool, apiwatch.Interface, error) {
					return a.GetNamespace() == metav1.NamespaceAll, nil, noRight("jobs")
				})
				slow := &slowHandler{release: make(chan struct{})}
				w := watch.New(watch.Config{Clientset: client, Namespaces: []string{"a", "b"}, Handler: slow})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				started := make(chan error, 1)
				go func() { started <- w.Start(ctx) }()
				pass(time.Second)
				require.Error(t, tc.end(w, cancel))
				close(slow.release)
				require.ErrorIs(t, <-started, tc.want)
				require.NoError(t, w.Stop(t.Context()))
				require.Len(t, watches(client), 1, "no other watch was opened")
			})
		})
	}
}
