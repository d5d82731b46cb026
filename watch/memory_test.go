package watch_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

// ends counts the ends of Jobs and Pods.
type ends struct{ left atomic.Int64 }

func (*ends) JobChanged(*watch.Job)   {}
func (e *ends) JobDeleted(*watch.Job) { e.left.Add(-1) }
func (*ends) PodDeleted(*watch.Pod)   {}
func (e *ends) PodChanged(p *watch.Pod) {
	if p.Phase == corev1.PodSucceeded {
		e.left.Add(-1)
	}
}

// BenchmarkMemory reports the bytes that a watcher keeps of one Job and its Pod, which
// were decoded from the API's own encoding: while the Pod runs, once it has ended and is
// kept whole, and once the step is recorded. Both kinds of end are the events of an API
// server, and the Job and the Pod still exist there.
func BenchmarkMemory(b *testing.B) {
	const n = 5000
	for _, state := range []string{"running", "ended", "recorded"} {
		b.Run(state, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				jobs, pods := func() (jobs, pods []byte) {
					jobList, podList := common(0, n, "running")
					return encoded(b, jobList), encoded(b, podList)
				}()
				client := fake.NewClientset()
				client.PrependReactor("list", "jobs", func(clienttesting.Action) (bool, k8sruntime.Object, error) {
					list := &batchv1.JobList{}
					return true, list, list.Unmarshal(jobs)
				})
				client.PrependReactor("list", "pods", func(clienttesting.Action) (bool, k8sruntime.Object, error) {
					list := &corev1.PodList{}
					return true, list, list.Unmarshal(pods)
				})
				jobEvents, podEvents := stream(client, "jobs"), stream(client, "pods")
				handler := &ends{}
				w := watch.New(watch.Config{
					Clientset: client, Namespace: "ns", JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"), Handler: handler,
				})
				require.NoError(b, w.Start(b.Context()))
				jobs, pods = nil, nil
				if state != "running" {
					end(b, n, state == "recorded", handler, jobEvents, podEvents)
				}
				_, ok := w.Job("ns", "job-00000")
				require.Equal(b, state != "recorded", ok)
				client.ClearActions()
				b.ReportMetric(float64(heap()-before)/n, "bytes/step")
				runtime.KeepAlive(client)
				require.NoError(b, w.Stop(context.Background()))
			}
		})
	}
}

// end sends the events of n steps that end, and those of their records.
func end(b *testing.B, n int64, recorded bool, handler *ends, jobs, pods *apiwatch.FakeWatcher) {
	b.Helper()
	handler.left.Add(n)
	if recorded {
		handler.left.Add(n)
	}
	for i := range int(n) {
		jobList, podList := common(i, i+1, "ended")
		j, p := &batchv1.Job{}, &corev1.Pod{}
		require.NoError(b, p.Unmarshal(encoded(b, &podList.Items[0])))
		p.ResourceVersion = strconv.Itoa(3000000 + i)
		pods.Modify(p)
		require.NoError(b, j.Unmarshal(encoded(b, &jobList.Items[0])))
		j.ResourceVersion = strconv.Itoa(4000000 + i)
		jobs.Modify(j)
		if recorded {
			gone := j.DeepCopy()
			gone.ResourceVersion = strconv.Itoa(5000000 + i)
			jobs.Delete(gone)
		}
	}
	for handler.left.Load() > 0 {
		<-time.After(time.Millisecond)
	}
}

// history is an API server with n finished steps, and a number of running ones after them.
// It answers in protobuf and in pages, and keeps no object.
type history struct {
	finished, running int
	unlabelled        bool // the Jobs are recorded without the label

	pages   int
	serving time.Duration // the server's own time
	peak    uint64        // bytes of the heap, most at a request
	atLast  int64         // reachable bytes at the last page of Pods
}

func (h *history) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	defer func() { h.serving += time.Since(began) }()
	answer := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {k8sruntime.ContentTypeProtobuf}}, Request: r}
	if r.URL.Query().Get("watch") != "" {
		answer.Header.Set("Content-Type", k8sruntime.ContentTypeProtobuf+";stream=watch")
		reader, writer := io.Pipe()
		context.AfterFunc(r.Context(), func() { _ = writer.CloseWithError(r.Context().Err()) })
		answer.Body = reader
		return answer, nil
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	h.peak = max(h.peak, stats.HeapAlloc)
	h.pages++
	jobs := strings.HasSuffix(r.URL.Path, "/jobs")
	n, first := h.finished+h.running, 0
	if jobs && !h.unlabelled {
		first = h.finished // the selector leaves out the others
	}
	_, _ = fmt.Sscanf(r.URL.Query().Get("continue"), "%d", &first)
	limit, err := strconv.Atoi(r.URL.Query().Get("limit"))
	if err != nil {
		return nil, err
	}
	end := min(first+limit, n)
	jobList, podList := common(first, end, "ended")
	for i := first; i < end; i++ {
		if i >= h.finished {
			podList.Items[i-first].Status.Phase = corev1.PodRunning
		} else {
			jobList.Items[i-first].Annotations = map[string]string{identity.AnnotationRecord: `{"v":1,"reason":"CompletionsReached"}`}
		}
	}
	var list k8sruntime.Object = podList
	list.GetObjectKind().SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PodList"))
	meta := &podList.ListMeta
	if jobs {
		list, meta = jobList, &jobList.ListMeta
		list.GetObjectKind().SetGroupVersionKind(batchv1.SchemeGroupVersion.WithKind("JobList"))
	}
	if end < n {
		meta.Continue = strconv.Itoa(end)
	} else if !jobs {
		h.atLast = heap()
	}
	var body bytes.Buffer
	err = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme).Encode(list, &body)
	answer.Body = io.NopCloser(&body)
	return answer, err
}

// BenchmarkStart is a start among 50,000 finished steps whose Jobs and Pods still exist,
// and 100 that run. It reports the time without that of the server, the reachable memory
// when the last page is requested and when the start is over, and the largest heap.
func BenchmarkStart(b *testing.B) {
	for name, unlabelled := range map[string]bool{"labelled": false, "unlabelled": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				server := &history{finished: 50_000, running: 100, unlabelled: unlabelled}
				client, err := kubernetes.NewForConfig(&rest.Config{
					Host: "http://api", QPS: -1, Transport: server,
					ContentConfig: rest.ContentConfig{ContentType: k8sruntime.ContentTypeProtobuf},
				})
				require.NoError(b, err)
				handler := &recorder{}
				w := watch.New(watch.Config{
					Clientset: client, Namespace: "ns", JobSelector: identity.LivingSelector("group"), PodSelector: identity.Selector("group"), Handler: handler,
				})
				began := time.Now()
				require.NoError(b, w.Start(b.Context()))
				took := time.Since(began) - server.serving
				require.Len(b, handler.take(), 200)
				b.ReportMetric(took.Seconds(), "s/start")
				b.ReportMetric(float64(server.pages), "lists/start")
				b.ReportMetric(float64(server.atLast-before)/1e6, "MB-at-last-page")
				b.ReportMetric(float64(heap()-before)/1e6, "MB-kept")
				b.ReportMetric(float64(server.peak)/1e6, "MB-peak")
				require.NoError(b, w.Stop(context.Background()))
			}
		})
	}
}

// heap returns the size of the reachable heap.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// grown makes a running Pod as large as a typical one.
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

// common returns the Jobs from first to end and their Pods, of a typical size.
func common(first, end int, state string) (jobList *batchv1.JobList, podList *corev1.PodList) {
	jobList, podList = &batchv1.JobList{}, &corev1.PodList{}
	jobList.ResourceVersion, podList.ResourceVersion = "9", "9"
	for i := first; i < end; i++ {
		j := job(fmt.Sprintf("job-%05d", i), types.UID(fmt.Sprintf("0d1f6a5c-0000-4000-8000-0000000%05d", i)), strconv.Itoa(1000000+i))
		p := grown(pod(j.Name+"-abcde", types.UID(fmt.Sprintf("0d1f6a5c-0000-4000-9000-0000000%05d", i)), strconv.Itoa(2000000+i), j, corev1.PodRunning))
		j.Spec.Template.Spec = p.Spec
		if state == "ended" {
			p.Status.Phase = corev1.PodSucceeded
			j.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue, Reason: "CompletionsReached", Message: "Reached expected number of succeeded pods"}}
		}
		jobList.Items, podList.Items = append(jobList.Items, *j), append(podList.Items, *p)
	}
	return jobList, podList
}

func encoded(b *testing.B, object interface{ Marshal() ([]byte, error) }) []byte {
	b.Helper()
	data, err := object.Marshal()
	require.NoError(b, err)
	return data
}
