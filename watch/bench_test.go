package watch_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

// feed is a clientset with n Pods, whose watch of Pods sends the events.
func feed(n int) (client kubernetes.Interface, pods []*corev1.Pod, events chan apiwatch.Event) {
	list := &corev1.PodList{}
	for i := range n {
		p := pod(fmt.Sprintf("pod-%05d", i), types.UID(fmt.Sprintf("uid-of-pod-%05d", i)), "1",
			job(fmt.Sprintf("job-%05d", i), types.UID(fmt.Sprintf("uid-of-job-%05d", i)), "1"), corev1.PodRunning)
		grown(p)
		list.Items, pods = append(list.Items, *p), append(pods, p)
	}
	events = make(chan apiwatch.Event, 100)
	c := fake.NewClientset()
	c.PrependReactor("list", "pods", func(clienttesting.Action) (bool, k8sruntime.Object, error) { return true, list, nil })
	c.PrependWatchReactor("pods", func(clienttesting.Action) (bool, apiwatch.Interface, error) {
		return true, apiwatch.NewProxyWatcher(events), nil
	})
	return c, pods, events
}

// counting counts the changes of Pods, and closes done when there were enough.
type counting struct {
	left int
	done chan struct{}
}

func (c *counting) next() {
	if c.left--; c.left == 0 {
		close(c.done)
	}
}

func (*counting) JobChanged(*watch.Job)   {}
func (*counting) JobDeleted(*watch.Job)   {}
func (c *counting) PodChanged(*watch.Pod) { c.next() }
func (*counting) PodDeleted(*watch.Pod)   {}

// BenchmarkEvent is the cost of an event, from the encoded object to the handler: in
// client-go's own shared informer with whole objects, and in a Watcher.
func BenchmarkEvent(b *testing.B) {
	const n = 1000
	send := func(b *testing.B, pods []*corev1.Pod, events chan<- apiwatch.Event, done <-chan struct{}) {
		encoded := make([][]byte, n)
		for i, p := range pods {
			var err error
			encoded[i], err = p.Marshal()
			require.NoError(b, err)
		}
		b.ReportAllocs()
		b.ResetTimer()
		for i := range b.N {
			p := new(corev1.Pod)
			if err := p.Unmarshal(encoded[i%n]); err != nil {
				b.Fatal(err)
			}
			p.ResourceVersion = strconv.Itoa(i + 2)
			events <- apiwatch.Event{Type: apiwatch.Modified, Object: p}
		}
		<-done
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
	}
	b.Run("client-go", func(b *testing.B) {
		client, pods, events := feed(n)
		ctx, cancel := context.WithCancel(b.Context())
		factory := informers.NewSharedInformerFactory(client, 0)
		c := &counting{left: n + b.N, done: make(chan struct{})}
		_, err := factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(any) { c.next() }, UpdateFunc: func(any, any) { c.next() },
		})
		require.NoError(b, err)
		factory.StartWithContext(ctx)
		require.NoError(b, factory.WaitForCacheSyncWithContext(ctx).AsError())
		send(b, pods, events, c.done)
		cancel()
		factory.Shutdown()
	})
	b.Run("watcher", func(b *testing.B) {
		client, pods, events := feed(n)
		c := &counting{left: n + b.N, done: make(chan struct{})}
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"), Handler: c})
		require.NoError(b, w.Start(b.Context()))
		send(b, pods, events, c.done)
		require.NoError(b, w.Stop(context.Background()))
	})
}
