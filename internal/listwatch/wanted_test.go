package listwatch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/internal/listwatch"
)

func inNamespace(name, namespace, rv string) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, ResourceVersion: rv}}
}

func ours(obj runtime.Object) bool { return obj.(*batchv1.Job).Namespace == "ours" }

// TestOnlyWantedObjectsArrive: those of a list are dropped before Keep sees them, and those
// of a watch before the reflector stores them.
func TestOnlyWantedObjectsArrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := jobsOf(fake.NewClientset())
		cfg.List = func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return &batchv1.JobList{Items: []batchv1.Job{*inNamespace("a", "ours", "1"), *inNamespace("b", "theirs", "2")}}, nil
		}
		events := watch.NewFake()
		cfg.Watch = func(context.Context, metav1.ListOptions) (watch.Interface, error) { return events, nil }
		cfg.Wanted = ours
		cfg.Keep = func() func(runtime.Object) runtime.Object {
			return func(obj runtime.Object) runtime.Object {
				require.True(t, ours(obj))
				return obj
			}
		}
		lw, store, stop := start(t, cfg)
		require.NoError(t, health(lw))
		require.Equal(t, []string{"ours/a"}, store.ListKeys())
		events.Add(inNamespace("c", "theirs", "3"))
		events.Add(inNamespace("d", "ours", "4"))
		events.Modify(inNamespace("c", "theirs", "5"))
		events.Delete(inNamespace("a", "ours", "6"))
		events.Delete(inNamespace("c", "theirs", "7"))
		synctest.Wait()
		require.Equal(t, []string{"ours/d"}, store.ListKeys())
		stop()
	})
}

// TestWatchResumesAfterUnwantedObjects: their versions count, so that a watch that ends
// among many of them does not begin again where the last wanted one was.
func TestWatchResumesAfterUnwantedObjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := jobsOf(nil)
		cfg.List = func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			return &batchv1.JobList{ListMeta: metav1.ListMeta{ResourceVersion: "1"}}, nil
		}
		var from []string
		var open *watch.FakeWatcher
		cfg.Watch = func(_ context.Context, o metav1.ListOptions) (watch.Interface, error) {
			from = append(from, o.ResourceVersion)
			open = watch.NewFake()
			return open, nil
		}
		cfg.Wanted = ours
		_, store, stop := start(t, cfg)
		open.Add(inNamespace("a", "theirs", "41"))
		open.Modify(inNamespace("a", "theirs", "42"))
		synctest.Wait()
		open.Stop()
		pass(time.Minute)
		synctest.Wait()
		require.Equal(t, []string{"1", "42"}, from)
		require.Empty(t, store.ListKeys())
		stop()
	})
}

// TestStoppedAmongUnwantedObjects: nothing is left of a watch whose event is not read.
func TestStoppedAmongUnwantedObjects(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := jobsOf(nil)
		in := watch.NewFake()
		cfg.Watch = func(context.Context, metav1.ListOptions) (watch.Interface, error) { return in, nil }
		cfg.Wanted = ours
		lw := listwatch.New(cfg)
		w, err := lw.WatchWithContext(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		in.Add(inNamespace("a", "theirs", "1"))
		synctest.Wait() // it is offered, and not read
		w.Stop()
		w.Stop()
		require.True(t, in.IsStopped())
		synctest.Wait()
		_, open := <-w.ResultChan()
		require.False(t, open)
	})
}
