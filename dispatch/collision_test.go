package dispatch

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

// TestUIDsOfOneHash: futures that share a place see the events of their own UID.
func TestUIDsOfOneHash(t *testing.T) {
	t.Parallel()
	d := New[int]()
	seen := map[types.UID]int{}
	future := func(uid types.UID) *Future[int] {
		f, err := d.Register(func(n int) bool { seen[uid] += n; return true })
		require.NoError(t, err)
		return f
	}
	a, b := future("a"), future("b")
	require.NoError(t, a.Bind("a"))
	// No two UIDs with one hash can be found, so b is put where a is.
	s, hash := d.shard("a")
	b.uid, b.bound, b.next = "b", true, a
	s.futures[hash] = b

	d.Dispatch("a", 1)
	require.Equal(t, map[types.UID]int{"a": 1}, seen)
	require.True(t, d.Waiting("a"))
	a.Cancel()
	d.Dispatch("a", 1)
	require.Equal(t, map[types.UID]int{"a": 1}, seen)
	require.False(t, d.Waiting("a"))
}
