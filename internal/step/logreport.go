package step

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// PodLog is what was written of the logs of a pod, and what may be missing.
type PodLog struct {
	// Complete reports whether all that the containers have written was written once.
	Complete bool
	// Lines and Bytes count what was written, prefixes included.
	Lines, Bytes int64
	// Truncated counts the lines that were cut.
	Truncated int64
	// Reopened counts how often a log was opened again.
	Reopened int
	// Gaps are the places where lines may be missing.
	Gaps []LogGap
	// Err is why a log was not followed to its end, or nil.
	Err error
}

// LogGap is a place in the log of a container where lines may be missing.
type LogGap struct {
	// Container is the container's name.
	Container string
	// After and Before are the kubelet's timestamps of the lines around it; zero if there
	// is none.
	After, Before time.Time
}

// reports returns the reports of the pods that were observed.
func (l *stepLogs) reports() map[types.UID]*PodLog {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make(map[types.UID]*PodLog, len(l.pods))
	for uid, followers := range l.pods {
		sum := &PodLog{Complete: true}
		for _, f := range followers {
			sum.add(f)
		}
		all[uid] = sum
	}
	return all
}

func (p *PodLog) add(f *follower) {
	err := f.err
	if !f.ended {
		err = fmt.Errorf("log of %s: %w", f.ref, errLogsLate)
	}
	if p.Err == nil {
		p.Err = err
	}
	p.Complete = p.Complete && f.report.Complete
	p.Lines += f.lines.Load()
	p.Bytes += f.bytes.Load()
	p.Truncated += f.report.Truncated
	p.Reopened += f.report.Reopened
	for _, g := range f.report.Gaps {
		p.Gaps = append(p.Gaps, LogGap{Container: f.ref.Container, After: g.After, Before: g.Before})
	}
}

// logWriter is the writer of a step, which the followers of its containers share.
type logWriter struct {
	out    io.Writer
	ctx    context.Context // nothing is written after its end
	failed func(error)     // ends it
	logger *slog.Logger
	total  atomic.Int64 // bytes written

	// turn has an element while a Write is under way. It is no mutex, so that who waits
	// for it can be stopped, and so that the step may run in a testing/synctest bubble.
	turn chan struct{}
	text []byte // reused, by who has the turn
}

// written counts what was written of one container's log.
type written struct{ lines, bytes atomic.Int64 }

// logOf is the writer of one container's log.
type logOf struct {
	*logWriter
	f *follower
}

// Write writes lines, each with the container's prefix. After an error, or a panic of the
// step's writer, nothing more is written.
func (w logOf) Write(lines []byte) (int, error) {
	select {
	case w.turn <- struct{}{}:
		defer func() { <-w.turn }()
	case <-w.ctx.Done():
	}
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	text := w.prefixed(lines)
	n, err := w.write(text)
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	n = max(0, min(n, len(text)))
	w.total.Add(int64(n))
	w.f.bytes.Add(int64(n))
	w.f.lines.Add(int64(bytes.Count(text[:n], newline)))
	if err != nil {
		w.failed(err)
		return 0, err
	}
	return len(lines), nil
}

var newline = []byte("\n")

func (w logOf) prefixed(lines []byte) []byte {
	if w.f.prefix == "" {
		return lines
	}
	w.text = w.text[:0]
	for line := range bytes.Lines(lines) {
		w.text = append(append(w.text, w.f.prefix...), line...)
	}
	return w.text
}

// write calls the step's writer. A panic must not end the program, of which the writer is
// a small part, nor lose the result of the step.
func (w logOf) write(text []byte) (n int, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("the writer of the step's logs panicked: %v", v)
			w.logger.ErrorContext(w.ctx, "writer of a step's logs panicked", "pod", w.f.ref.Pod, "panic", v, "stack", string(debug.Stack()))
		}
	}()
	return w.out.Write(text)
}
