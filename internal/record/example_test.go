package record_test

import (
	"fmt"

	"github.com/kontinue/kontinue/internal/record"
)

// A worker records how a step's Job ended, and another one reads the record.
func Example() {
	text, err := record.Record{Failed: true, Reason: "BackoffLimitExceeded", FailedPods: 1, Pods: []byte(`{"v":1}`)}.Encode()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(text)
	r, err := record.Decode(text)
	fmt.Println(r.Reason, "attempt:", r.Attempt, err)

	_, err = record.Decode(`{"v":2}`)
	fmt.Println(err)
	// Output:
	// {"v":1,"attempt":0,"failed":true,"reason":"BackoffLimitExceeded","failedPods":1,"pods":{"v":1}}
	// BackoffLimitExceeded attempt: 0 <nil>
	// the record has a later version than this program reads: version 2, not 1
}
