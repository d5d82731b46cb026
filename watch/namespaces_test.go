package watch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

// in moves a Job or a Pod to a namespace.
func in[T metav1.Object](namespace string, object T) T {
	object.SetNamespace(namespace)
	return object
}

// refuse makes requests fail with err: those of one verb on one resource in one namespace,
// of which an empty one is that of cluster-wide requests.
func refuse(client *fake.Clientset, verb, resource, namespace string, err error) {
	client.PrependReactor(verb, resource, func(a clienttesting.Action) (bool, runtime.Object, error) {
		return a.GetNamespace() == namespace, nil, err
	})
	client.PrependWatchReactor(resource, func(a clienttesting.Action) (bool, apiwatch.Interface, error) {
		return verb == "watch" && a.GetNamespace() == namespace, nil, err
	})
}

func noRight(resource string) error {
	return apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("no rule allows it"))
}

// several returns a watcher of the namespaces a and b.
func several(client *fake.Clientset) (*watch.Watcher, *recorder) {
	r := &recorder{}
	return watch.New(watch.Config{
		Clientset: client, Namespaces: []string{"a", "b"}, StartTimeout: 30 * time.Second, Handler: r,
		JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"),
	}), r
}

// watches returns the watches that were requested.
func watches(client *fake.Clientset) (all []string) {
	for _, a := range client.Actions() {
		if a.GetVerb() == "watch" {
			all = append(all, a.GetResource().Resource+" in "+a.GetNamespace())
		}
	}
	return all
}

// inThree has a Job and a Pod in each of three namespaces.
func inThree() (objects []runtime.Object) {
	for _, namespace := range []string{"a", "b", "foreign"} {
		j := in(namespace, job("j-"+namespace, "", "1"))
		objects = append(objects, j, in(namespace, pod("p-"+namespace, "", "2", j, corev1.PodRunning)))
	}
	return objects
}

// TestSeveralNamespacesByOnePair: two cluster-wide watches, and nothing of the objects of
// other namespaces gets further.
func TestSeveralNamespacesByOnePair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(inThree()...)
		w, r := several(client)
		require.NoError(t, w.Start(t.Context()))
		require.NoError(t, w.Healthy())
		require.Equal(t, []string{"jobs in ", "pods in "}, watches(client))
		require.ElementsMatch(t, []string{"job j-a/a/j-a", "job j-b/b/j-b", "pod p-a/a/p-a", "pod p-b/b/p-b"}, r.take())

		for _, namespace := range []string{"foreign", "b"} {
			_, err := client.BatchV1().Jobs(namespace).Create(t.Context(), in(namespace, job("new", "", "3")), metav1.CreateOptions{})
			require.NoError(t, err)
			require.NoError(t, client.CoreV1().Pods(namespace).Delete(t.Context(), "p-"+namespace, metav1.DeleteOptions{}))
		}
		synctest.Wait()
		require.ElementsMatch(t, []string{"job new/b/new", "pod deleted p-b/b/p-b"}, r.take())
		_, ok := w.Job("b", "new")
		require.True(t, ok)
		_, ok = w.Job("foreign", "new")
		require.False(t, ok)
		require.NoError(t, w.Stop(t.Context()))
	})
}

// TestAPairForEachNamespace: without the right to cluster-wide requests, whichever of them
// it is that is refused.
func TestAPairForEachNamespace(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{"jobs", "pods"} {
		for _, verb := range []string{"list", "watch"} {
			t.Run(verb+" "+resource, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					client := fake.NewClientset(inThree()...)
					refuse(client, verb, resource, metav1.NamespaceAll, noRight(resource))
					w, r := several(client)
					began := time.Now()
					require.NoError(t, w.Start(t.Context()))
					require.Zero(t, time.Since(began))
					require.NoError(t, w.Healthy())
					made := watches(client)
					require.ElementsMatch(t, []string{"jobs in a", "jobs in b", "pods in a", "pods in b"}, made[len(made)-4:])
					require.Subset(t, r.take(), []string{"job j-a/a/j-a", "job j-b/b/j-b", "pod p-a/a/p-a", "pod p-b/b/p-b"})

					_, err := client.BatchV1().Jobs("b").Create(t.Context(), in("b", job("new", "", "3")), metav1.CreateOptions{})
					require.NoError(t, err)
					synctest.Wait()
					require.Equal(t, []string{"job new/b/new"}, r.take(), "the cluster-wide watches have ended")
					_, ok := w.Job("foreign", "j-foreign")
					require.False(t, ok)
					require.NoError(t, w.Stop(t.Context()))
				})
			})
		}
	}
}

// TestNothingIsLeftOfTheClusterWidePair: a Job that it has shown is deleted before the
// watch of its namespace begins, which therefore never shows its deletion.
func TestNothingIsLeftOfTheClusterWidePair(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(inThree()...)
		client.PrependReactor("list", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if a.GetNamespace() != metav1.NamespaceAll {
				return false, nil, nil
			}
			// Without an event of the watch that is open.
			tracker := client.Tracker()
			return true, nil, errors.Join(tracker.Delete(batchv1.SchemeGroupVersion.WithResource("jobs"), "a", "j-a"), noRight("pods"))
		})
		client.PrependWatchReactor("jobs", func(a clienttesting.Action) (bool, apiwatch.Interface, error) {
			return a.GetNamespace() == metav1.NamespaceAll, apiwatch.NewFake(), nil
		})
		w, _ := several(client)
		require.NoError(t, w.Start(t.Context()))
		_, ok := w.Job("a", "j-a")
		require.False(t, ok)
		_, ok = w.Job("b", "j-b")
		require.True(t, ok)
		require.NoError(t, w.Stop(t.Context()))
	})
}

// TestARightIsMissingInOneNamespace: the error names it, and nothing is left running.
func TestARightIsMissingInOneNamespace(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{"jobs", "pods"} {
		for _, verb := range []string{"list", "watch"} {
			t.Run(verb+" "+resource, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					client := fake.NewClientset(inThree()...)
					refuse(client, "list", "jobs", metav1.NamespaceAll, noRight("jobs"))
					refuse(client, verb, resource, "b", noRight(resource))
					w, _ := several(client)
					err := w.Start(t.Context())
					var failed *watch.Error
					require.ErrorAs(t, err, &failed)
					require.Equal(t, []string{verb, resource, "b"}, []string{failed.Verb, failed.Resource, failed.Namespace})
					require.ErrorContains(t, err, fmt.Sprintf("%s %s in namespace %q", verb, resource, "b"))
					require.ErrorContains(t, err, fmt.Sprintf("grant verb %q on resource %q in a Role of that namespace", verb, resource))
					require.NoError(t, w.Stop(t.Context()))
				})
			})
		}
	}
}

// TestOnlyA403IsNoRightToClusterWideWatches: other errors are those of a start.
func TestOnlyA403IsNoRightToClusterWideWatches(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ err, want error }{
		"401":         {apierrors.NewUnauthorized("who are you"), nil},
		"unreachable": {errors.New("connection refused"), context.DeadlineExceeded},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client := fake.NewClientset()
				refuse(client, "list", "jobs", metav1.NamespaceAll, tc.err)
				w, _ := several(client)
				err := w.Start(t.Context())
				require.ErrorContains(t, err, "list jobs in all namespaces: "+tc.err.Error())
				if tc.want != nil {
					require.ErrorIs(t, err, tc.want)
					require.ErrorContains(t, err, "list and watch of pods in all namespaces have not begun")
				}
				require.Empty(t, watches(client))
				require.NoError(t, w.Stop(t.Context()))
			})
		})
	}
}

// TestAllNamespaces: there is no other way, so that a 403 is an error.
func TestAllNamespaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset(inThree()...)
		r := &recorder{}
		w := watch.New(watch.Config{Clientset: client, Handler: r})
		require.NoError(t, w.Start(t.Context()))
		require.Len(t, r.take(), 6)
		require.NoError(t, w.Stop(t.Context()))

		refuse(client, "list", "pods", metav1.NamespaceAll, noRight("pods"))
		w = watch.New(watch.Config{Clientset: client, Handler: r})
		require.ErrorContains(t, w.Start(t.Context()), `list pods in all namespaces: pods is forbidden: no rule allows it (grant verb "list" on resource "pods" in a ClusterRole that a ClusterRoleBinding binds)`)
		require.NoError(t, w.Stop(t.Context()))
	})
}

// TestHealthOfEachNamespace: the error says in which of them a watch is down.
func TestHealthOfEachNamespace(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		refuse(client, "list", "jobs", metav1.NamespaceAll, noRight("jobs"))
		stream, refused := apiwatch.NewFake(), false
		client.PrependWatchReactor("pods", func(a clienttesting.Action) (bool, apiwatch.Interface, error) {
			if a.GetNamespace() != "b" {
				return false, nil, nil
			}
			if refused {
				return true, nil, errors.New("connection reset")
			}
			refused = true
			return true, stream, nil
		})
		w, _ := several(client)
		require.NoError(t, w.Start(t.Context()))
		require.NoError(t, w.Healthy())
		stream.Stop()
		pass(10 * time.Second)
		require.EqualError(t, w.Healthy(), `watch pods in namespace "b": connection reset`)
		require.NoError(t, w.Stop(t.Context()))
	})
}

// TestErrorOfManyNamespacesIsShort: a hundred that have the same problem.
func TestErrorOfManyNamespacesIsShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client := fake.NewClientset()
		var namespaces []string
		for i := range 100 {
			namespaces = append(namespaces, fmt.Sprintf("team-%d", i))
		}
		client.PrependReactor("list", "*", func(a clienttesting.Action) (bool, runtime.Object, error) {
			if a.GetNamespace() == metav1.NamespaceAll {
				return true, nil, noRight("jobs")
			}
			return true, nil, errors.New("connection refused")
		})
		w := watch.New(watch.Config{Clientset: client, Namespaces: namespaces, StartTimeout: time.Minute, Handler: &recorder{}})
		began := time.Now()
		err := w.Start(t.Context())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(began))
		require.ErrorContains(t, err, `list jobs in namespace "team-3": connection refused`)
		require.ErrorContains(t, err, "196 more watches")
		require.Less(t, len(err.Error()), 600)
		require.NoError(t, w.Stop(t.Context()))
	})
}
