package otel_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/docs"
)

// Every block of Go code in the doc comments of otelkontinue compiles.
func TestDocs(t *testing.T) {
	t.Parallel()
	sources, err := docs.Sources("../..")
	require.NoError(t, err)
	var own []docs.Block
	for _, b := range docs.Select(sources, "go") {
		if b.Module == "otelkontinue" {
			own = append(own, b)
		}
	}
	require.NotEmpty(t, own)
	require.NoError(t, docs.Check(t.Context(), "../..", own))
}
