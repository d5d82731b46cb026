package listwatch_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/kontinue/kontinue/internal/listwatch"
)

func TestMain(m *testing.M) {
	// The rate limiter of the other handlers mixes real and virtual time.
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1]
	goleak.VerifyTestMain(m)
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

// over returns a clientset with a transport.
func over(t *testing.T, transport http.RoundTripper) kubernetes.Interface {
	t.Helper()
	clientset, err := kubernetes.NewForConfig(&rest.Config{Host: "http://api", QPS: -1, Transport: transport})
	require.NoError(t, err)
	return clientset
}

// jobsOf returns the configuration for the Jobs of a clientset.
func jobsOf(client kubernetes.Interface) listwatch.Config {
	return listwatch.Config{
		Resource: "jobs", Namespace: "ns", Logger: slog.New(slog.DiscardHandler),
		List: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			return client.BatchV1().Jobs("ns").List(ctx, o)
		},
		Watch: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			return client.BatchV1().Jobs("ns").Watch(ctx, o)
		},
	}
}

// start runs a reflector on cfg in the test's bubble until stop is called, and at the
// latest until the test ends.
func start(t *testing.T, cfg listwatch.Config) (lw *listwatch.ListerWatcher, store cache.Store, stop func()) {
	t.Helper()
	lw, store = listwatch.New(cfg), cache.NewStore(cache.MetaNamespaceKeyFunc)
	ctx, cancel := context.WithCancel(klog.NewContext(context.Background(), klog.New(nil)))
	done := make(chan struct{})
	go func() {
		defer close(done)
		cache.NewReflectorWithOptions(lw, &batchv1.Job{}, store, cache.ReflectorOptions{}).RunWithContext(ctx)
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	synctest.Wait()
	return lw, store, stop
}

// health returns what is wrong, or nil.
func health(lw *listwatch.ListerWatcher) error {
	if _, err := lw.State(); err != nil {
		return err
	}
	return nil
}

// drain reads a response body to its end.
func drain(body io.Reader) <-chan error {
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, body)
		ended <- err
	}()
	return ended
}
