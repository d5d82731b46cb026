package printers_test

import (
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster/printers"
)

func ExampleFor() {
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Name: "report", CreationTimestamp: metav1.NewTime(time.Now().Add(-90 * time.Second))}}
	job.Spec.Completions = ptr.To[int32](3)
	job.Status.Succeeded, job.Status.StartTime = 2, &job.CreationTimestamp

	printer := printers.For(batchv1.SchemeGroupVersion.WithKind("Job"), false)
	row := printer.Row(job)
	for i, column := range printer.Columns {
		if column.Priority == 0 {
			fmt.Printf("%s: %v\n", column.Name, row.Cells[i])
		}
	}
	// Output:
	// Name: report
	// Status: Running
	// Completions: 2/3
	// Duration: 90s
	// Age: 90s
}
