package apiserver

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// TestInformersInABubble runs client-go's real informers against the server, in
// virtual time: they sync, follow, survive lost and expired watches, and end.
func TestInformersInABubble(t *testing.T) {
	for _, mode := range []struct {
		name     string
		disabled bool
	}{{"WatchList", false}, {"list then watch", true}} {
		t.Run(mode.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := New(Options{DisableWatchList: mode.disabled})
				defer s.Close()
				c := s.Clientset()
				createJob(t, c, testJob("before"))
				ctx, cancel := context.WithCancel(t.Context())
				factory := informers.NewSharedInformerFactoryWithOptions(c, 0, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
					o.LabelSelector = "app!=foreign"
				}))
				jobs := factory.Batch().V1().Jobs()
				var mu sync.Mutex
				deleted := map[string]int{}
				_, err := jobs.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{DeleteFunc: func(o any) {
					mu.Lock()
					defer mu.Unlock()
					if tomb, ok := o.(cache.DeletedFinalStateUnknown); ok {
						o = tomb.Obj
					}
					deleted[o.(*batchv1.Job).Name]++
				}})
				require.NoError(t, err)
				factory.StartWithContext(ctx)
				require.NoError(t, factory.WaitForCacheSyncWithContext(ctx).AsError())
				synctest.Wait() // a listed cache is synced before its watch is open
				lists, watches := 0, 1
				if mode.disabled {
					lists = 1
				}
				require.Equal(t, lists, s.Stats().Count("", "list", "jobs"))
				require.Equal(t, watches, s.Stats().Active("", "jobs"))

				has := func(name string) bool {
					synctest.Wait()
					_, err := jobs.Lister().Jobs(testNamespace).Get(name)
					return err == nil
				}
				require.True(t, has("before"))
				foreign := testJob("foreign")
				createJob(t, c, foreign)
				createJob(t, c, testJob("after"))
				require.True(t, has("after"))
				require.False(t, has("foreign"))

				// An hour of silence: bookmarks and server-side timeouts, no relist.
				<-time.After(time.Hour)
				require.Equal(t, lists, s.Stats().Count("", "list", "jobs"))
				createJob(t, c, testJob("later"))
				require.True(t, has("later"))

				// A lost connection, and changes meanwhile.
				s.CutWatches(WatchMatch{})
				createJob(t, c, testJob("outage"))
				<-time.After(time.Minute)
				require.True(t, has("outage"))

				// After a lost history, a deletion arrives as a tombstone of the relist.
				s.AddFault(Fault{Match: Match{Verb: "watch"}, Times: 3, Before: fmt.Errorf("connection refused")})
				s.CutWatches(WatchMatch{})
				background := metav1.DeletePropagationBackground
				require.NoError(t, c.BatchV1().Jobs(testNamespace).Delete(ctx, "outage", metav1.DeleteOptions{PropagationPolicy: &background}))
				s.CompactHistory()
				<-time.After(5 * time.Minute)
				require.False(t, has("outage"))
				mu.Lock()
				require.Equal(t, map[string]int{"outage": 1}, deleted)
				mu.Unlock()

				cancel()
				factory.Shutdown()
				synctest.Wait()
				require.Zero(t, s.Stats().Active("", ""))
			})
		})
	}
}

// TestInformerSeesEveryObject: nothing is lost between list and watch, with concurrent
// writers and watches that are cut repeatedly.
func TestInformerSeesEveryObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{})
		defer s.Close()
		c := s.Clientset()
		ctx, cancel := context.WithCancel(t.Context())
		factory := informers.NewSharedInformerFactory(c, 0)
		pods := factory.Core().V1().Pods()
		pods.Informer()
		factory.StartWithContext(ctx)
		require.NoError(t, factory.WaitForCacheSyncWithContext(ctx).AsError())
		const writers, each = 8, 100
		var wg sync.WaitGroup
		for g := range writers {
			wg.Go(func() {
				for i := range each {
					name := fmt.Sprintf("p-%d-%d", g, i)
					createPod(t, c, testPod(name))
					if i%10 == 0 {
						s.CutWatches(WatchMatch{})
					}
					label(t, c, name, "changed")
				}
			})
		}
		wg.Wait()
		<-time.After(5 * time.Minute)
		synctest.Wait()
		live, err := c.CoreV1().Pods(testNamespace).List(ctx, metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, live.Items, writers*each)
		for i := range live.Items {
			cached, err := pods.Lister().Pods(testNamespace).Get(live.Items[i].Name)
			require.NoError(t, err)
			require.Equal(t, &live.Items[i], cached)
		}
		cancel()
		factory.Shutdown()
	})
}
