package flight_test

import (
	"io"
	"log/slog"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/flight"
)

// BenchmarkEvent is what an event of a watch costs more with a recording, with the writer.
func BenchmarkEvent(b *testing.B) {
	events := watch.NewFake()
	clientset := fake.NewClientset()
	clientset.PrependWatchReactor("pods", ktesting.DefaultWatchReactor(events, nil))
	r := flight.NewRecorder(io.Discard, slog.New(slog.DiscardHandler), flight.Client{})
	w, err := r.Wrap(clientset).CoreV1().Pods("ns").Watch(b.Context(), metav1.ListOptions{})
	if err != nil {
		b.Fatal(err)
	}
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "ns", Labels: map[string]string{"a": "b", "c": "d"}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i", Command: []string{"sh", "-c", "true"}, Env: []corev1.EnvVar{{Name: "A", Value: "confidential"}}}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "c", Image: "i"}}},
	}
	b.ReportAllocs()
	for b.Loop() {
		go events.Modify(pod)
		<-w.ResultChan()
	}
	w.Stop()
	for range w.ResultChan() { // until it is closed
	}
	if err := r.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
}
