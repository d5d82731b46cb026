package apicall_test

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/apicall"
)

// A caller sends a request once, and decides by its error whether to send it again.
func Example() {
	_, err := apicall.Bounded(context.Background(), func(context.Context) (*corev1.Pod, error) {
		return nil, apierrors.NewTooManyRequests("busy", 1)
	})
	fmt.Println("transient:", apicall.Transient(err))
	fmt.Println("overloaded:", apicall.Overloaded(err))
	fmt.Println("UID:", apicall.UIDOf("", "ns", "nightly-build"))
	// Output:
	// transient: true
	// overloaded: true
	// UID: ns/nightly-build
}
