package record_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/record"
)

func TestGaveUp(t *testing.T) {
	t.Parallel()
	g := record.GaveUp{Reason: "ErrImagePull", Message: "gave up after 5m0s: no such image", Pod: "p"}
	text, err := g.Encode()
	require.NoError(t, err)
	require.JSONEq(t, `{"reason":"ErrImagePull","message":"gave up after 5m0s: no such image","pod":"p"}`, text)
	require.Equal(t, g, record.DecodeGaveUp(text))

	g.Message = strings.Repeat("ä", 1000)
	text, err = g.Encode()
	require.NoError(t, err)
	require.Less(t, len(text), 1200)
	require.Equal(t, strings.Repeat("ä", 512), record.DecodeGaveUp(text).Message)

	// Somebody has edited the annotation.
	require.Equal(t, record.GaveUp{Reason: "GaveUp", Message: "yes"}, record.DecodeGaveUp("yes"))
	require.Equal(t, "GaveUp", record.DecodeGaveUp("{}").Reason)
}
