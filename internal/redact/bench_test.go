package redact_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/redact"
)

// BenchmarkErrorText is what a refused create of a Job with a script of 16 KiB costs.
func BenchmarkErrorText(b *testing.B) {
	var script strings.Builder
	for i := 0; script.Len() < 16<<10; i++ {
		fmt.Fprintf(&script, "kubectl apply -f \"manifest-%d.yaml\" && echo \"done: %d\"\n", i, i)
	}
	refused := job(func(c *corev1.Container) { c.Command = []string{"/bin/sh", "-c", script.String()} })
	err := errors.New(`jobs.batch "deploy" is forbidden: exceeded quota: small, requested: count/jobs.batch=1, used: count/jobs.batch=5, limited: count/jobs.batch=5`)
	b.ReportAllocs()
	for b.Loop() {
		_ = redact.Of(refused).ErrorText(err)
	}
}
