package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
)

// TestStatusLine: on a terminal the state is in one line below the log, which stays whole.
func TestStatusLine(t *testing.T) {
	t.Parallel()
	var screen strings.Builder
	began := time.Unix(0, 0)
	d := &display{what: "default/a", width: func() int { return 40 }, now: func() time.Time { return began.Add(61 * time.Second) }, began: began, out: &screen, err: &screen, stop: make(chan struct{})}
	step := func(want string, f func()) {
		t.Helper()
		screen.Reset()
		f()
		require.Equal(t, want, screen.String())
	}
	write := func(text string) func() {
		return func() {
			_, err := d.Write([]byte(text))
			require.NoError(t, err)
		}
	}
	step("early\n", write("early\n"))
	step("\r\x1b[Kdefault/a: Pending, 1m1s", func() { d.progress(kontinue.Progress{State: kontinue.StepPending}) })
	step("", func() { d.progress(kontinue.Progress{State: kontinue.StepPending}) })
	step("\r\x1b[Kone\n\r\x1b[Kdefault/a: Pending, 1m1s", write("one\n"))
	step("\r\x1b[K\r\x1b[Kdefault/a: Pending (Unschedulable): 0/…", func() {
		d.progress(kontinue.Progress{State: kontinue.StepPending, Reason: "Unschedulable", Message: "0/1 nodes are\navailable"})
	})
	step("\r\x1b[Khalf", write("half"))
	step("\ndefault/a: stopping\n\r\x1b[Kdefault/a: Pending (Unschedulable): 0/…", func() { d.sayf("stopping") })
	step("\r\x1b[K", d.close)
	step("", d.close)
	step("", func() { d.progress(kontinue.Progress{State: kontinue.StepRunning}) })
	step("late\n", write("late\n"))
}

func TestShorten(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a b", shorten("a\n b", 3))
	require.Equal(t, "ab…", shorten("abcd", 3))
	require.Equal(t, "äöü", shorten("äöü", 3))
	require.Equal(t, "…", shorten("abcd", 0))
}
