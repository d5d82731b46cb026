package watch_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

// BenchmarkForeignEvent is the cost of an event of a Pod, from the encoded object on, to a
// watcher of two namespaces: one of theirs, and one of a third namespace, which is dropped
// on arrival. Of each of those 1,000 Pods bytes/pod are kept.
func BenchmarkForeignEvent(b *testing.B) {
	const n = 1000
	for _, namespace := range []string{"ns", "foreign"} {
		b.Run("in="+namespace, func(b *testing.B) {
			client, pods, events := feed(0)
			for i := range n {
				p := pod(fmt.Sprintf("pod-%05d", i), "", "1", job(fmt.Sprintf("job-%05d", i), "", "1"), corev1.PodRunning)
				grown(p)
				pods = append(pods, in(namespace, p))
			}
			handled := &counting{left: 1, done: make(chan struct{})}
			if namespace == "ns" {
				handled.left += b.N
			}
			w := watch.New(watch.Config{
				Clientset: client, Namespaces: []string{"ns", "other"}, Handler: handled,
				JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"),
			})
			require.NoError(b, w.Start(b.Context()))
			encoded := make([][]byte, n)
			for i, p := range pods {
				var err error
				encoded[i], err = p.Marshal()
				require.NoError(b, err)
			}
			last := in("ns", pods[0].DeepCopy())
			last.Name = "last"
			before := heap()
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
			events <- apiwatch.Event{Type: apiwatch.Added, Object: last}
			<-handled.done
			b.StopTimer()
			b.ReportMetric(float64(heap()-before)/n, "bytes/pod")
			runtime.KeepAlive(encoded)
			require.NoError(b, w.Stop(context.Background()))
		})
	}
}
