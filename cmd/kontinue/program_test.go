package main

import (
	"bufio"
	"context"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// buffer is a strings.Builder for several goroutines.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// program is the program in this process.
type program struct {
	signals chan os.Signal
	out     *bufio.Reader
	errOut  *buffer
	done    chan int // gets the exit code
}

// begin starts the program, which ends with the test at the latest.
func begin(t testing.TB, args ...string) *program {
	t.Helper()
	r, w := io.Pipe()
	p := &program{signals: make(chan os.Signal, 2), out: bufio.NewReader(r), errOut: new(buffer), done: make(chan int, 1)}
	go func() {
		code := execute(context.WithoutCancel(t.Context()), append([]string{"kontinue"}, args...), terminal{out: w, err: p.errOut, signals: p.signals})
		_ = w.Close()
		p.done <- code
		close(p.done)
	}()
	t.Cleanup(func() {
		select {
		case p.signals <- syscall.SIGTERM:
		default:
		}
		_, _ = io.Copy(io.Discard, p.out)
		<-p.done
	})
	return p
}

// line returns the next line of the output.
func (p *program) line(t testing.TB) string {
	t.Helper()
	line, err := p.out.ReadString('\n')
	require.NoError(t, err, "%s", p.errOut)
	return strings.TrimSuffix(line, "\n")
}

// end returns the rest of the output and the exit code.
func (p *program) end(t *testing.T) (out string, code int) {
	t.Helper()
	rest, err := io.ReadAll(p.out)
	require.NoError(t, err)
	return string(rest), <-p.done
}
