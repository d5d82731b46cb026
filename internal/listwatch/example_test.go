package listwatch_test

import (
	"context"
	"fmt"
	"log/slog"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kontinue/kontinue/internal/listwatch"
)

// A ListerWatcher keeps only the part of each page that its owner selects.
func Example() {
	lw := listwatch.New(listwatch.Config{
		Resource: "jobs", Namespace: "ns", Logger: slog.New(slog.DiscardHandler),
		List: func(context.Context, metav1.ListOptions) (runtime.Object, error) {
			list := &batchv1.JobList{Items: make([]batchv1.Job, 3)}
			list.Items[1].Spec.Suspend = new(true)
			return list, nil
		},
		Keep: func() func(runtime.Object) runtime.Object {
			return func(obj runtime.Object) runtime.Object {
				if job, ok := obj.(*batchv1.Job); ok && job.Spec.Suspend == nil {
					return job
				}
				return nil
			}
		},
	})
	list, err := lw.ListWithContext(context.Background(), metav1.ListOptions{})
	fmt.Println("jobs:", meta.LenList(list), "error:", err)
	opened, _ := lw.State()
	fmt.Println("watch open:", opened)
	// Output:
	// jobs: 2 error: <nil>
	// watch open: false
}
