package watch_test

import (
	"context"
	_ "embed"
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
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

// feed is a clientset whose list of Pods has n of them and whose watch brings
// what is sent to events.
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

// counting counts the changes of Pods, and tells when there were enough.
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

// BenchmarkEvent is what an event costs from the encoded object to the handler:
// in client-go's own shared informer with whole objects, and in a Watcher.
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
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Selector: identity.Selector("group"), Handler: c})
		require.NoError(b, w.Start(b.Context()))
		send(b, pods, events, c.done)
		require.NoError(b, w.Stop(context.Background()))
	})
}

// BenchmarkMemory tells the bytes that a cache keeps of one Job and its Pod, which
// were decoded from the API's own encoding: while the Pod runs, once it has ended
// and is kept whole, and once the Job's outcome is recorded.
func BenchmarkMemory(b *testing.B) {
	const n = 5000
	for _, state := range []string{"running", "ended", "recorded"} {
		b.Run(state, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				jobs, pods := encoded(b, n, state)
				client := fake.NewClientset()
				client.PrependReactor("list", "jobs", func(clienttesting.Action) (bool, k8sruntime.Object, error) {
					list := &batchv1.JobList{}
					return true, list, list.Unmarshal(jobs)
				})
				client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, k8sruntime.Object, error) {
					list := &corev1.PodList{}
					return true, list, list.Unmarshal(pods)
				})
				w := watch.New(watch.Config{
					Clientset: client, Namespace: "ns", Selector: identity.Selector("group"), Handler: &counting{},
					Finished: func(j *watch.Job) bool { return j.Record != "" },
				})
				require.NoError(b, w.Start(b.Context()))
				jobs, pods = nil, nil
				_, ok := w.Job("ns", "job-00000")
				require.True(b, ok)
				client.ClearActions()
				b.ReportMetric(float64(heap()-before)/n, "bytes/step")
				runtime.KeepAlive(client)
				require.NoError(b, w.Stop(context.Background()))
			}
		})
	}
}

// heap is what is reachable.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// outcome is the record of a step as most are.
//
//go:embed testdata/outcome.json
var outcome string

// grown gives a running Pod the size of a common one.
func grown(p *corev1.Pod) *corev1.Pod {
	for k := range 10 {
		p.Spec.Containers[0].Env = append(p.Spec.Containers[0].Env, corev1.EnvVar{Name: fmt.Sprintf("SETTING_%d", k), Value: "a value of a common length"})
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: "c", Image: "i", ImageID: "i@sha256:2c26b46b68ffc68ff99b453c1d304134", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}},
	}}
	for _, t := range []corev1.PodConditionType{corev1.PodInitialized, corev1.PodReady, corev1.ContainersReady, corev1.PodScheduled} {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: t, Status: corev1.ConditionTrue})
	}
	return p
}

// encoded are lists of n Jobs and of their Pods, of a common size.
func encoded(b *testing.B, n int, state string) (jobs, pods []byte) {
	b.Helper()
	jobList, podList := &batchv1.JobList{}, &corev1.PodList{}
	jobList.ResourceVersion, podList.ResourceVersion = "9", "9"
	for i := range n {
		j := job(fmt.Sprintf("job-%05d", i), types.UID(fmt.Sprintf("0d1f6a5c-0000-4000-8000-0000000%05d", i)), strconv.Itoa(1000000+i))
		p := grown(pod(j.Name+"-abcde", types.UID(fmt.Sprintf("0d1f6a5c-0000-4000-9000-0000000%05d", i)), strconv.Itoa(2000000+i), j, corev1.PodRunning))
		j.Spec.Template.Spec = p.Spec
		if state != "running" {
			p.Status.Phase = corev1.PodSucceeded
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, Reason: "CompletionsReached", Message: "Reached expected number of succeeded pods"}}
		}
		if state == "recorded" {
			j.Annotations = map[string]string{identity.AnnotationRecord: outcome}
		}
		jobList.Items, podList.Items = append(jobList.Items, *j), append(podList.Items, *p)
	}
	jobs, err := jobList.Marshal()
	require.NoError(b, err)
	pods, err = podList.Marshal()
	require.NoError(b, err)
	return jobs, pods
}
