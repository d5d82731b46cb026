package watch_test

import (
	"context"
	"fmt"

	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

// printer is a Handler that prints the Jobs.
type printer struct{ recorder }

func (*printer) JobChanged(j *watch.Job) { fmt.Println("job", j.Name, "is step", j.Step) }

// A watcher calls its handler for each object at the start, and then for every change.
func Example() {
	w := watch.New(watch.Config{
		Clientset:   fake.NewClientset(job("nightly-build", "0d1f6a5c", "1")),
		Namespace:   "ns",
		JobSelector: identity.LivingSelector("group"),
		PodSelector: identity.Selector("group"),
		Handler:     &printer{},
	})
	if err := w.Start(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("healthy:", w.Healthy() == nil)
	if err := w.Stop(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// job nightly-build is step nightly-build
	// healthy: true
}
