package step

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// TestNoticesOfATurn: what a turn posts is called at its end or before, in order, and by no
// goroutine that would have to be woken for it.
func TestNoticesOfATurn(t *testing.T) {
	t.Parallel()
	inline := func(wait func()) { wait() }
	for name, end := range map[string]func(*Notices){
		"the engine stops":             (*Notices).wait,
		"the end of the turn":          func(n *Notices) { n.deliver(inline) },
		"the turn has to wait":         (*Notices).start,
		"another goroutine has posted": func(n *Notices) { n.Post(func() {}) },
		"a wait within the turn": func(n *Notices) {
			n.PostFrom(withoutTurn(withTurn(context.Background())), func() {})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := NewNotices(slog.New(slog.DiscardHandler))
				got := ""
				for _, letter := range []string{"a", "b"} {
					n.PostFrom(withTurn(t.Context()), func() { got += letter })
				}
				synctest.Wait()
				require.Empty(t, got)
				end(n)
				synctest.Wait()
				require.Equal(t, "ab", got)
			})
		})
	}
}
