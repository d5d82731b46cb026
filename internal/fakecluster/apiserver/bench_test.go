package apiserver

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func BenchmarkCreateJob(b *testing.B) {
	_, c := newServer(b)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		createJob(b, c, testJob(fmt.Sprintf("job-%d", i)))
		i++
	}
}

func BenchmarkUpdatePodStatus(b *testing.B) {
	_, c := newServer(b)
	pod := createPod(b, c, testPod("a"))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		pod.Status.Message = fmt.Sprint(i)
		i++
		var err error
		pod, err = c.CoreV1().Pods(testNamespace).UpdateStatus(b.Context(), pod, metav1.UpdateOptions{})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMergePatchMetadata(b *testing.B) {
	_, c := newServer(b)
	createJob(b, c, testJob("a"))
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		body := fmt.Appendf(nil, `{"metadata":{"annotations":{"n":"%d"}}}`, i)
		i++
		if _, err := c.BatchV1().Jobs(testNamespace).Patch(b.Context(), "a", types.MergePatchType, body, metav1.PatchOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWatchedEvent(b *testing.B) {
	for _, watchers := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("watchers=%d", watchers), func(b *testing.B) {
			s, c := newServer(b)
			createPod(b, c, testPod("a"))
			var wg sync.WaitGroup
			for i := range watchers {
				selector := "app=nobody"
				if i == 0 {
					selector = "app"
				}
				w, err := c.CoreV1().Pods("").Watch(b.Context(), metav1.ListOptions{LabelSelector: selector})
				if err != nil {
					b.Fatal(err)
				}
				wg.Go(func() {
					for range w.ResultChan() {
					}
				})
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				label(b, c, "a", fmt.Sprint(i))
				i++
			}
			b.StopTimer()
			s.Close()
			wg.Wait()
		})
	}
}

// BenchmarkCluster is the life of 10,000 Jobs with a pod each, by 8 writers, with a
// watch on both types: 7 writes for each object.
func BenchmarkCluster(b *testing.B) {
	const n, writers = 10000, 8
	for b.Loop() {
		s, c := newServer(b)
		var readers, wg sync.WaitGroup
		pw, _ := c.CoreV1().Pods("").Watch(b.Context(), metav1.ListOptions{LabelSelector: "app"})
		jw, _ := c.BatchV1().Jobs("").Watch(b.Context(), metav1.ListOptions{LabelSelector: "app"})
		readers.Go(func() {
			for range pw.ResultChan() {
			}
		})
		readers.Go(func() {
			for range jw.ResultChan() {
			}
		})
		for g := range writers {
			wg.Go(func() {
				for i := g; i < n; i += writers {
					name := fmt.Sprintf("o-%d", i)
					job := createJob(b, c, testJob(name))
					createPod(b, c, testPod(name))
					bindPod(b, c, name)
					pod := getPod(b, c, name)
					for k, phase := range []corev1.PodPhase{corev1.PodPending, corev1.PodRunning, corev1.PodRunning, corev1.PodSucceeded} {
						pod.Status.Phase, pod.Status.Message = phase, fmt.Sprint(k)
						pod, _ = c.CoreV1().Pods(testNamespace).UpdateStatus(b.Context(), pod, metav1.UpdateOptions{})
						job.Status.Failed++
						job, _ = c.BatchV1().Jobs(testNamespace).UpdateStatus(b.Context(), job, metav1.UpdateOptions{})
					}
					body := []byte(`{"metadata":{"annotations":{"a":"b"}}}`)
					_, _ = c.CoreV1().Pods(testNamespace).Patch(b.Context(), name, types.MergePatchType, body, metav1.PatchOptions{})
					_, _ = c.BatchV1().Jobs(testNamespace).Patch(b.Context(), name, types.MergePatchType, body, metav1.PatchOptions{})
				}
			})
		}
		wg.Wait()
		s.Close()
		readers.Wait()
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/cluster")
}

// BenchmarkPersist measures the same writes with a journal.
func BenchmarkPersist(b *testing.B) {
	b.Run("CreateJob", func(b *testing.B) {
		s := persisted(b, filepath.Join(b.TempDir(), "objects"))
		c := s.Clientset()
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			createJob(b, c, testJob(fmt.Sprintf("job-%d", i)))
			i++
		}
	})
	b.Run("UpdatePodStatus", func(b *testing.B) {
		s := persisted(b, filepath.Join(b.TempDir(), "objects"))
		c := s.Clientset()
		pod := createPod(b, c, testPod("a"))
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			pod.Status.Message = fmt.Sprint(i)
			i++
			var err error
			pod, err = c.CoreV1().Pods(testNamespace).UpdateStatus(b.Context(), pod, metav1.UpdateOptions{})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}
