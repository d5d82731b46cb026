package redact_test

import (
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/redact"
)

// A webhook that denies a Job quotes its arguments.
func Example() {
	secrets := redact.Of(job(func(c *corev1.Container) { c.Args = []string{"--token=hunter2-x"} }))
	err := errors.New(`denied: args ["--token=hunter2-x"] of image alpine:3.19`)
	fmt.Println(secrets.ErrorText(err))
	// Output: denied: args ["[redacted]"] of image alpine:3.19
}
