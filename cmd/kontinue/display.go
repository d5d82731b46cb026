package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/kontinue/kontinue"
)

// The control sequences of the status line.
const (
	clearLine    = "\r\x1b[K"
	refreshEvery = time.Second
)

// display prints the log to stdout and the states to stderr: on a terminal in one line
// that is updated, below the log, and otherwise in a line each.
type display struct {
	what  string
	width func() int // of the terminal, nil if there is none
	now   func() time.Time

	mu       sync.Mutex
	out, err io.Writer
	began    time.Time
	state    string
	ran      bool // a container has been seen to run
	midLine  bool // the log's last line has no end yet
	shown    bool // the status line is on the screen
	closed   bool
	stop     chan struct{}
	stopped  sync.WaitGroup
}

// newDisplay returns a display of the run named what. It has to be closed.
func newDisplay(t terminal, what string) *display {
	d := &display{what: what, width: widthOf(t.err), now: time.Now, out: t.out, err: t.err, began: time.Now(), stop: make(chan struct{})}
	if d.width != nil {
		d.stopped.Go(d.refresh)
	}
	return d
}

// widthOf returns a function for the width of the terminal, or nil if w is none that can
// update a line.
func widthOf(w io.Writer) func() int {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil
	}
	return func() int {
		width, _, err := term.GetSize(int(f.Fd()))
		if err != nil || width <= 0 {
			return 80
		}
		return width
	}
}

// refresh shows how the time passes.
func (d *display) refresh() {
	ticker := time.NewTicker(refreshEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			d.mu.Lock()
			d.draw()
			d.mu.Unlock()
		case <-d.stop:
			return
		}
	}
}

// Write prints a part of the log.
func (d *display) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ran = true
	d.clear()
	n, err := d.out.Write(p)
	if n > 0 {
		d.midLine = p[n-1] != '\n'
	}
	d.draw()
	return n, err
}

// running reports whether a container has been seen to run.
func (d *display) running() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ran
}

// progress shows a state of the step.
func (d *display) progress(p kontinue.Progress) {
	state := string(p.State)
	if p.State == kontinue.StepSucceeded || p.State == kontinue.StepFailed {
		return // the result says it
	}
	if p.Reason != "" {
		state += " (" + p.Reason + ")"
	}
	if p.Message != "" {
		state += ": " + p.Message
	} else if p.Pod != "" {
		state += " in pod " + p.Pod
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ran = d.ran || p.State == kontinue.StepRunning
	if d.closed || state == d.state {
		return
	}
	d.state = state
	if d.width == nil {
		fmt.Fprintf(d.err, "%s: %s\n", d.what, state)
		return
	}
	d.clear()
	d.draw()
}

// sayf prints a line to stderr, which stays.
func (d *display) sayf(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.clear()
	if d.width != nil && d.midLine {
		fmt.Fprintln(d.err)
		d.midLine = false
	}
	fmt.Fprintf(d.err, "%s: %s\n", d.what, fmt.Sprintf(format, args...))
	d.draw()
}

// close removes the status line. What is printed later stays.
func (d *display) close() {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return
	}
	d.clear()
	d.closed = true
	d.mu.Unlock()
	close(d.stop)
	d.stopped.Wait()
}

// clear removes the status line. The caller holds the lock.
func (d *display) clear() {
	if d.shown {
		fmt.Fprint(d.err, clearLine)
		d.shown = false
	}
}

// draw shows the status line, unless the log is in the middle of a line. The caller holds
// the lock.
func (d *display) draw() {
	if d.width == nil || d.closed || d.midLine || d.state == "" {
		return
	}
	elapsed := d.now().Sub(d.began).Truncate(time.Second)
	fmt.Fprint(d.err, clearLine+shorten(fmt.Sprintf("%s: %s, %s", d.what, d.state, elapsed), d.width()-1))
	d.shown = true
}

// shorten returns the line in at most width characters, without line breaks.
func shorten(line string, width int) string {
	line = strings.Join(strings.Fields(line), " ")
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	runes := []rune(line)
	return string(runes[:max(width-1, 0)]) + "…"
}
