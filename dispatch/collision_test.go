package dispatch

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
)

// TestHashCollision: two futures whose UIDs have the same hash each receive only
// the events of their own UID.
func TestHashCollision(t *testing.T) {
	t.Parallel()
	d := New[int]()
	seen := map[types.UID]int{}
	future := func(uid types.UID) *Future[int] {
		f, err := d.Register(func(n int) bool { seen[uid] += n; return true }, func() {})
		require.NoError(t, err)
		return f
	}
	a, b := future("a"), future("b")
	require.NoError(t, a.Bind("a"))
	// A real collision of a 64-bit hash cannot be found, so b is put into a's list.
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
