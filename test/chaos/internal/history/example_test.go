package history_test

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// The Job of a step gets a second pod.
func Example() {
	h := history.New(nil, nil)
	h.On(history.Trigger{Execution: "e", Transition: history.Running, N: 1, Fire: func() { fmt.Println("running") }})

	j := job("j", "build", 0)
	h.Observe(watch.Event{Type: watch.Added, Object: j})
	h.Observe(watch.Event{Type: watch.Added, Object: pod(j, "p1", corev1.PodRunning)})
	h.Observe(watch.Event{Type: watch.Added, Object: pod(j, "p2", corev1.PodRunning)})
	h.Observe(watch.Event{Type: watch.Modified, Object: recorded(j, `{"reason":"Completed"}`)})

	expected := history.Expected{{Step: "build", Run: 0}: 1}
	expected.Check(h.Jobs(all), func(kind report.Kind, format string, args ...any) {
		fmt.Printf("%s: %s\n", kind, fmt.Sprintf(format, args...))
	})
	// Output:
	// running
	// duplicates: job job-j had 2 pods, want 1
}
