package logs

import (
	"bufio"
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"time"
)

// longestStamp is more than any RFC 3339 time the kubelet writes before a line.
const longestStamp = 64

// lineReader splits a log with timestamps into lines, in bounded memory.
type lineReader struct {
	in   *bufio.Reader
	seed maphash.Seed
	max  int // bytes kept of one line's text
	last time.Time
	buf  []byte // reused for every line's text
}

// textLine is one line of a log.
type textLine struct {
	line
	text    []byte // without stamp and newline, at most max bytes; valid until the next read
	ended   bool   // a newline was there
	stamped bool
	cut     bool // text was longer
}

// next returns the next line. At the end of the stream it returns what was read
// of an unfinished line, possibly nothing, and the error.
func (r *lineReader) next() (textLine, error) {
	var (
		out  = textLine{text: r.buf[:0]}
		head = true
		h    maphash.Hash
	)
	h.SetSeed(r.seed)
	for {
		part, err := r.in.ReadSlice('\n')
		_, _ = h.Write(part) // never fails
		if err == nil {
			part = part[:len(part)-1]
			out.ended = true
		}
		if head {
			head = false
			out.at, part, out.stamped = r.stamp(part)
		}
		if room := r.max - len(out.text); len(part) > room {
			part = part[:room]
			out.cut = true
		}
		out.text = append(out.text, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		out.hash = h.Sum64()
		r.buf = out.text
		if out.ended {
			r.last = out.at
		}
		return out, err
	}
}

// stamp splits the time off a line. A line without one (a server that does not
// add them) has the time of the line before.
func (r *lineReader) stamp(text []byte) (at time.Time, rest []byte, ok bool) {
	head := text[:min(len(text), longestStamp)]
	if i := bytes.IndexByte(head, ' '); i > 0 {
		if at, err := time.Parse(time.RFC3339Nano, string(head[:i])); err == nil {
			return at.UTC(), text[i+1:], true
		}
	}
	return r.last, text, false
}

// idleReader calls idle when one Read takes longer than after. A dead
// connection or a forgotten stream shows in nothing else.
type idleReader struct {
	in    io.Reader
	timer *time.Timer
	after time.Duration
}

func (r *idleReader) Read(p []byte) (int, error) {
	r.timer.Reset(r.after)
	defer r.timer.Stop()
	return r.in.Read(p)
}
