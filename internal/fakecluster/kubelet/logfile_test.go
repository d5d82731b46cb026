package kubelet

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

func readAll(t *testing.T, b *logBuffer) string {
	t.Helper()
	r := newLogReader(b, &corev1.PodLogOptions{Timestamps: true}, time.Now())
	var out strings.Builder
	buffer := make([]byte, 1<<16)
	for {
		n, err := r.Read(buffer)
		out.Write(buffer[:n])
		if err != nil {
			return out.String()
		}
	}
}

// TestLogFile: what is read from the file is what was in memory, with its times.
func TestLogFile(t *testing.T) {
	t.Parallel()
	for seed := range uint64(30) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				random := rand.New(rand.NewPCG(seed, 1))
				limit := 1 << (10 + random.IntN(8))
				path := filepath.Join(dir, "pod", "main", "0.log")
				b := newLogBuffer(limit, &logFile{path: path})
				for range random.IntN(300) {
					piece := strings.Repeat(string(rune('a'+random.IntN(26))), random.IntN(1+random.IntN(200)))
					if random.IntN(20) == 0 {
						piece = strings.Repeat("long ", 5000)
					}
					if random.IntN(3) > 0 {
						piece += "\n" + strings.Repeat("\r\n", random.IntN(2))
					}
					_, err := b.Write([]byte(piece))
					require.NoError(t, err)
					<-time.After(time.Duration(random.IntN(3)) * time.Millisecond)
				}
				want := readAll(t, closed(b))
				got, err := readLog(path, limit)
				require.NoError(t, err)
				if len(b.chunks) > 0 {
					// The file may not know that the start of a line is gone.
					got.chunks[0].cont = b.chunks[0].cont
				}
				require.Equal(t, want, readAll(t, got))
			})
		})
	}
}

func closed(b *logBuffer) *logBuffer {
	b.close()
	return b
}

// TestLogFileIsBounded: the file has at most some multiple of the limit, like the memory.
func TestLogFileIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "0.log")
	b := newLogBuffer(10_000, &logFile{path: path})
	largest := int64(0)
	for i := range 20_000 {
		_, err := fmt.Fprintf(b, "line %d\n", i)
		require.NoError(t, err)
		if i%100 == 0 {
			info, err := os.Stat(path)
			require.NoError(t, err)
			largest = max(largest, info.Size())
		}
	}
	require.Less(t, largest, int64(200_000), "10,000 bytes of text are 50,000 with their times, and there may be thrice as many")
	got, err := readLog(path, 10_000)
	require.NoError(t, err)
	require.Equal(t, readAll(t, closed(b)), readAll(t, got))
	require.NoFileExists(t, path+".new")
}

// TestLogFileAfterCrash: what was cut is dropped, and anything else is an error.
func TestLogFileAfterCrash(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "0.log")
	whole := "2026-01-02T03:04:05.000000006Z stdout F one\n2026-01-02T03:04:06Z stdout P two\n2026-01-02T03:04:06Z stdout F half\n"
	for cut := range len(whole) + 1 {
		require.NoError(t, os.WriteFile(path, []byte(whole[:cut]), 0o600))
		got, err := readLog(path, 1000)
		require.NoError(t, err)
		require.Contains(t, []string{"", "one\n", "one\ntwo", "one\ntwohalf\n"}, got.tail(10, 1000), "cut at %d", cut)
	}
	require.NoError(t, os.WriteFile(path, []byte(whole+"\x00\x00\n"), 0o600))
	_, err := readLog(path, 1000)
	require.ErrorContains(t, err, path+": line 4 is damaged")
}

// TestLogFileWithoutRoom: the log stays whole in memory, and the file says what it lacks.
func TestLogFileWithoutRoom(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "pod")
	require.NoError(t, os.WriteFile(dir, nil, 0o600)) // in the way of the directory
	path := filepath.Join(dir, "0.log")
	b := newLogBuffer(1000, &logFile{path: path})
	for _, line := range []string{"a\n", "b\n"} {
		_, err := b.Write([]byte(line))
		require.NoError(t, err)
	}
	require.NoError(t, os.Remove(dir))
	_, err := b.Write([]byte("c\n"))
	require.NoError(t, err)
	require.Equal(t, "a\nb\nc\n", b.tail(10, 1000))
	got, err := readLog(path, 1000)
	require.NoError(t, err)
	require.Regexp(t, `^\[4 bytes of the log could not be stored: .*not a directory\]\nc\n$`, got.tail(10, 1000))
}
