package identity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/identity"
)

func TestTraceParent(t *testing.T) {
	t.Parallel()
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	require.Equal(t, good, identity.TraceParent(good))
	for _, bad := range []string{
		"", "x", good + "0", good[1:], "01" + good[2:], strings.ToUpper(good), strings.Replace(good, "0a", "0-", 1),
		strings.ReplaceAll(good, "-", "_"), strings.Replace(good, "af", "ag", 1), strings.Repeat(good, 1000),
	} {
		require.Empty(t, identity.TraceParent(bad), "%.80q", bad)
	}
}
