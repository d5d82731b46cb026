package flight_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/internal/flight"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/step"
)

var execution = step.Execution{Execution: identity.Execution{Namespace: "ns", Name: "release", UID: "1"}}

// A clientset whose requests are recorded.
func Example() {
	var out strings.Builder
	recorder := flight.NewRecorder(&out, slog.New(slog.DiscardHandler), flight.Client{Namespace: "ns"})
	clientset := recorder.Wrap(fake.NewClientset(&batchv1.Job{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "deploy"}}))
	ctx := context.Background()
	if _, err := clientset.BatchV1().Jobs("ns").Get(ctx, "deploy", metav1.GetOptions{}); err != nil {
		fmt.Println(err)
	}
	if err := recorder.Flush(ctx); err != nil {
		fmt.Println(err)
	}
	fmt.Println(strings.Contains(out.String(), `"kind":"answer","request":{"verb":"get","resource":"jobs","namespace":"ns","name":"deploy"}`))
	// Output: true
}
