package kontinuetest_test

import (
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// BenchmarkRecord compares a step from call to result with a recording and without one.
func BenchmarkRecord(b *testing.B) {
	for name, out := range map[string]io.Writer{"off": nil, "on": io.Discard} {
		b.Run(name, func(b *testing.B) {
			c := kontinuetest.New(b, kontinuetest.QuickRetries())
			config := c.Config()
			config.Record = out
			client, err := kontinue.New(config)
			require.NoError(b, err)
			require.NoError(b, client.Start(b.Context()))
			ktx, err := client.NewExecutionContext(b.Context(), c.NewExecution("e"))
			require.NoError(b, err)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				_, err := script(ktx, fmt.Sprint("s", i), "true")
				require.NoError(b, err)
			}
			require.NoError(b, client.Stop(b.Context()))
		})
	}
}
