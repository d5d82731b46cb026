package logs

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLineReader(t *testing.T) {
	t.Parallel()
	type want struct {
		at                  time.Time
		text                string
		ended, stamped, cut bool
	}
	second := epoch.Add(time.Second)
	long := strings.Repeat("x", 100)
	tests := []struct {
		name, in string
		lines    []want
		rest     want
	}{
		{"stamped", "2026-03-01T12:00:00.000000000Z a\n2026-03-01T12:00:01Z b c\n",
			[]want{{epoch, "a", true, true, false}, {second, "b c", true, true, false}}, want{at: second}},
		{"other zone", "2026-03-01T13:00:00+01:00 a\n", []want{{epoch, "a", true, true, false}}, want{at: epoch}},
		{"empty line", "2026-03-01T12:00:00Z \n", []want{{epoch, "", true, true, false}}, want{at: epoch}},
		{"unfinished", "2026-03-01T12:00:00Z a\n2026-03-01T12:00:01Z par", []want{{epoch, "a", true, true, false}}, want{second, "par", false, true, false}},
		{"cut inside a stamp", "2026-03-01T12:0", nil, want{text: "2026-03-01T12:0"}},
		{"without stamps", "a\nb\n", []want{{text: "a", ended: true}, {text: "b", ended: true}}, want{}},
		{"one line without a stamp", "2026-03-01T12:00:01Z a\nb\n", []want{{second, "a", true, true, false}, {second, "b", true, false, false}}, want{at: second}},
		{"long", "2026-03-01T12:00:00Z " + long + "\n2026-03-01T12:00:01Z b\n",
			[]want{{epoch, long[:64], true, true, true}, {second, "b", true, true, false}}, want{at: second}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for name, in := range map[string]io.Reader{"at once": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in))} {
				r := &lineReader{in: bufio.NewReaderSize(in, 64), seed: testSeed, max: 64}
				for _, w := range tt.lines {
					l, err := r.next()
					require.NoError(t, err)
					got := want{l.at, string(l.text), l.ended, l.stamped, l.cut}
					require.Equal(t, w, got, name)
				}
				l, err := r.next()
				require.ErrorIs(t, err, io.EOF)
				rest := want{l.at, string(l.text), l.ended, l.stamped, l.cut}
				require.Equal(t, tt.rest, rest, name)
			}
		})
	}
}

func TestLineReaderHashesTheWholeLine(t *testing.T) {
	t.Parallel()
	hash := func(text string) uint64 {
		r := &lineReader{in: bufio.NewReaderSize(strings.NewReader(text), 128), seed: testSeed, max: 8}
		l, err := r.next()
		require.NoError(t, err)
		return l.hash
	}
	base := "2026-03-01T12:00:00Z " + strings.Repeat("x", 50)
	first, again := hash(base+"a\n"), hash(base+"a\n")
	require.Equal(t, first, again)
	require.NotEqual(t, first, hash(base+"b\n"), "they differ after the part that is kept")
	require.NotEqual(t, hash("2026-03-01T12:00:00Z a\n"), hash("2026-03-01T12:00:01Z a\n"))
}

func TestLineReaderMemory(t *testing.T) {
	t.Parallel()
	r := &lineReader{in: bufio.NewReader(&endless{n: 8 << 20}), seed: testSeed, max: 1 << 10}
	l, err := r.next()
	require.ErrorIs(t, err, io.EOF)
	require.True(t, l.cut)
	require.Len(t, l.text, 1<<10)
	require.LessOrEqual(t, cap(r.buf), 4<<10)
}
