package step_test

import (
	"fmt"

	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/internal/step"
)

// An outcome is decoded from the record on the Job, and the root package converts it to a
// result.
func ExampleOutcome() {
	o := step.Outcome{
		Record: record.Record{
			Failed: true, FailedPods: 1,
			Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit",
		},
		Namespace: "ci", Job: "release-migrate",
	}
	fmt.Println(o.Text())
	_, err := o.SinglePod()
	fmt.Println(err)
	// Output:
	// BackoffLimitExceeded: Job has reached the specified backoff limit
	// no pod was created
}
