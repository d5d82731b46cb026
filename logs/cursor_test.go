package logs

import (
	"hash/maphash"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var testSeed = maphash.MakeSeed()

func (l logLine) forCursor() line {
	return line{at: l.at, hash: maphash.String(testSeed, l.String())}
}

// play opens file through the cursor and reads up to n lines of it. It returns the
// delivered lines and the number of reported gaps. complete says that the file was
// read to the end of a complete log.
func play(c *cursor, file []logLine, n int, complete bool) (delivered []string, gaps int) {
	from := c.since()
	c.reopen()
	for _, l := range file {
		if from != nil && l.at.Before(from.Time) {
			continue
		}
		if n == 0 {
			return delivered, gaps
		}
		n--
		deliver, gap := c.accept(l.forCursor())
		if gap {
			gaps++
		}
		if deliver {
			delivered = append(delivered, l.text)
		}
	}
	if complete && c.end() {
		gaps++
	}
	return delivered, gaps
}

func lineTexts(lines []logLine) (out []string) {
	for _, l := range lines {
		out = append(out, l.text)
	}
	return out
}

func TestCursorMemoryIsConstant(t *testing.T) {
	t.Parallel()
	c := &cursor{}
	file := numbered(10_000, 3, 10*time.Millisecond)
	_, gaps := play(c, file, len(file), true)
	require.Zero(t, gaps)
	require.LessOrEqual(t, len(c.seconds), 2)
}

func TestCursorReportsARotatedFile(t *testing.T) {
	t.Parallel()
	file := numbered(100, 1, 100*time.Millisecond)
	tests := []struct {
		name     string
		from     int // the file's first line after rotation; 50 were delivered
		want     []string
		gaps     int
		atTheEnd bool
	}{
		{"only delivered lines lost", 45, lineTexts(file[50:]), 0, false},
		{"starts after the last delivered line", 50, lineTexts(file[50:]), 1, false},
		{"lines lost", 60, lineTexts(file[60:]), 1, false},
		{"all lost", 100, nil, 1, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &cursor{}
			play(c, file, 50, false)
			got, gaps := play(c, file[tt.from:], 1000, true)
			require.Equal(t, tt.want, got)
			require.Equal(t, tt.gaps, gaps)

			// The gap is reported once: the next reopen expects the new file.
			got, gaps = play(c, file[tt.from:], 1000, true)
			require.Empty(t, got)
			require.Zero(t, gaps)
		})
	}
}

func TestCursorSkipsThePieceOfALongLine(t *testing.T) {
	t.Parallel()
	// A long line that began in second 0 and whose second piece came in second
	// 1: opened from second 1, the log starts with that piece.
	whole := []logLine{{epoch.Add(900 * time.Millisecond), "a long line"}, {epoch.Add(2500 * time.Millisecond), "next"}, {epoch.Add(2600 * time.Millisecond), "new"}}
	piece := []logLine{{epoch.Add(1100 * time.Millisecond), "line"}, whole[1], whole[2]}
	c := &cursor{}
	got, _ := play(c, whole, 2, false)
	require.Equal(t, []string{"a long line", "next"}, got)
	got, gaps := play(c, piece, 100, true)
	require.Equal(t, []string{"new"}, got)
	require.Zero(t, gaps)
}

func TestCursorDeliversALineStampedBeforeTheNewest(t *testing.T) {
	t.Parallel()
	// The line of stderr follows that of stdout with an earlier timestamp, in
	// another second.
	file := []logLine{{epoch.Add(2001 * time.Millisecond), "out"}, {epoch.Add(1999 * time.Millisecond), "err"}, {epoch.Add(3 * time.Second), "end"}}
	c := &cursor{}
	got, _ := play(c, file, 1, false)
	require.Equal(t, []string{"out"}, got)
	got, gaps := play(c, file, 100, true)
	require.Equal(t, []string{"err", "end"}, got)
	require.Zero(t, gaps)
}

func TestCursorWithAServerThatIgnoresSinceTime(t *testing.T) {
	t.Parallel()
	c := &cursor{}
	file := numbered(60, 1, 100*time.Millisecond)
	play(c, file, 50, false)
	c.reopen()
	var got []string
	for _, l := range file {
		deliver, gap := c.accept(l.forCursor())
		require.False(t, gap)
		if deliver {
			got = append(got, l.text)
		}
	}
	require.Equal(t, lineTexts(file[50:]), got)
}

// TestCursorOfTheNextRun: its lines are newer than those of the run before, also if the
// server returns that one again.
func TestCursorOfTheNextRun(t *testing.T) {
	t.Parallel()
	file := numbered(20, 1, 100*time.Millisecond)
	c := &cursor{}
	got, gaps := play(c, file[:10], 10, true)
	require.Len(t, got, 10)
	require.Zero(t, gaps)
	for range 2 {
		c.nextRun()
		got, gaps = play(c, file[:10], 10, true)
		require.Empty(t, got)
		require.Zero(t, gaps)
	}
	got, gaps = play(c, file[10:], 10, true)
	require.Equal(t, lineTexts(file[10:]), got)
	require.Zero(t, gaps)
}

// FuzzCursor interrupts a log at random places. Timestamps come in bursts and up
// to half a second out of order, as two writers produce them. Every line must be
// delivered exactly once and in order, without a false gap.
func FuzzCursor(f *testing.F) {
	f.Add(uint64(1), uint16(300), uint8(20))
	f.Add(uint64(2), uint16(2000), uint8(200))
	f.Add(uint64(3), uint16(1), uint8(3))
	f.Fuzz(func(t *testing.T, seed uint64, size uint16, cuts uint8) {
		random := rand.New(rand.NewPCG(seed, 1))
		var file []logLine
		at := epoch
		for i := range int(size) % 3000 {
			if random.IntN(4) == 0 {
				at = at.Add(time.Duration(random.IntN(700)) * time.Millisecond)
			}
			stamp := at
			if random.IntN(3) == 0 {
				stamp = stamp.Add(-time.Duration(random.IntN(500)) * time.Millisecond)
			}
			text := "same text"
			if random.IntN(2) == 0 {
				text = strconv.Itoa(i)
			}
			file = append(file, logLine{stamp, text})
		}
		c := &cursor{}
		var got []string
		for range cuts {
			lines, gaps := play(c, file, random.IntN(60), false)
			require.Zero(t, gaps)
			got = append(got, lines...)
		}
		lines, gaps := play(c, file, len(file), true)
		require.Zero(t, gaps)
		require.Equal(t, lineTexts(file), append(got, lines...))
	})
}
