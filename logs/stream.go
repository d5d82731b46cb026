package logs

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Why a follower closes its stream.
var (
	errSettled = errors.New("the container has ended, and its log has not")
	errSlow    = errors.New("the writer does not take what was read")
)

// stream opens the log and delivers its new lines until the stream ends. It
// returns nil after a clean end. A stream that is followed ends by itself soon after its
// container; it is closed if it does not, as a half-open one.
func (f *follower) stream(ctx, changed context.Context, previous, follow bool) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	if follow {
		release := context.AfterFunc(changed, func() {
			time.AfterFunc(f.r.settle, func() { end(errSettled) })
		})
		defer release()
	}
	body, err := f.r.open(ctx, f.ref, &corev1.PodLogOptions{
		Container:  f.ref.Container,
		Follow:     follow,
		Previous:   previous,
		Timestamps: true,
		SinceTime:  f.cursor.since(),
	})
	if err != nil {
		return &Error{Ref: f.ref, Kind: classify(err), Err: err}
	}
	defer func() { _ = body.Close() }()
	if f.opened++; f.opened > 1 {
		f.report.Reopened++
	}
	f.cursor.reopen()
	slow := time.AfterFunc(f.r.slow, func() {
		f.turn.release()
		end(errSlow)
	})
	slow.Stop()
	lines := &lineReader{
		in:   bufio.NewReaderSize(body, 32*1024),
		seed: f.seed,
		max:  positiveOr(f.r.MaxLineBytes, DefaultMaxLineBytes),
	}
	for {
		line, readErr := lines.next()
		if readErr == nil {
			f.accept(line)
			if lines.ready() && !f.batch.full() {
				continue
			}
		} else if errors.Is(readErr, io.EOF) && !follow && (len(line.text) > 0 || line.stamped) && inBandOf(line) == nil {
			// The next stream returns an unfinished line whole. It is the last line of an
			// ended log if it is returned as it was.
			if f.partial == line.hash {
				f.accept(line)
			}
			f.partial = line.hash
		}
		slow.Reset(f.r.slow)
		err := f.flush()
		slow.Stop()
		switch {
		case err != nil:
			return err
		case readErr == nil:
			continue
		}
		if kind := inBandOf(line); kind != nil {
			return &Error{Ref: f.ref, Kind: kind, Err: errors.New(string(line.text))}
		}
		if !errors.Is(readErr, io.EOF) {
			return &Error{Ref: f.ref, Err: fmt.Errorf("the log stream was interrupted: %w", readErr)}
		}
		return nil
	}
}

// inBandOf returns the error that the last line of a stream stands for, or nil.
func inBandOf(line textLine) error {
	if line.stamped {
		return nil
	}
	return inBandError(string(line.text))
}

// accept adds a line to the batch, unless it was delivered before.
func (f *follower) accept(line textLine) {
	after := f.cursor.newest
	deliver, gap := f.cursor.accept(line.line)
	if !deliver {
		return
	}
	if gap || f.missing {
		f.report.addGap(Gap{After: after, Before: line.at})
		f.missing = false
	}
	f.batch.add(line)
}

// flush writes the batch.
func (f *follower) flush() error {
	if len(f.batch.text) == 0 {
		return nil
	}
	n, err := f.out.Write(f.batch.text)
	if err == nil && n < len(f.batch.text) {
		err = io.ErrShortWrite
	}
	f.report.Bytes += int64(n)
	if err != nil {
		f.report.Lines += int64(bytes.Count(f.batch.text[:max(n, 0)], []byte("\n")))
		return &writeError{err}
	}
	f.report.Lines += f.batch.lines
	f.report.Truncated += f.batch.cut
	f.batch = batch{text: f.batch.text[:0]}
	return nil
}

// batch is lines that are written in one piece.
type batch struct {
	text       []byte
	lines, cut int64
}

// batchSize is how many bytes of lines are collected at most, where they come faster than
// they are written.
const batchSize = 32 << 10

func (b *batch) full() bool { return len(b.text) >= batchSize }

func (b *batch) add(line textLine) {
	b.text = append(append(b.text, line.text...), '\n')
	b.lines++
	if line.cut {
		b.cut++
	}
}

// writeError wraps an error of the writer, to distinguish it from those of the
// log.
type writeError struct{ err error }

func (e *writeError) Error() string { return "write log line: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }
