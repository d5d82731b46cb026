package logs

import (
	"bufio"
	"bytes"
	"errors"
	"hash/maphash"
	"time"
)

// longestStamp exceeds the length of any RFC 3339 time that the kubelet writes.
const longestStamp = 64

// lineReader splits a log with timestamps into lines, in bounded memory.
type lineReader struct {
	in   *bufio.Reader
	seed maphash.Seed
	max  int // bytes kept of one line's text
	last time.Time
	buf  []byte // reused for the text of every line
}

// textLine is one line of a log.
type textLine struct {
	line
	text    []byte // without timestamp and newline, at most max bytes; valid until the next read
	ended   bool   // the line ended with a newline
	stamped bool
	cut     bool // the text was truncated
}

// next returns the next line. At the end of the stream it returns the error and
// the possibly empty unfinished line.
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

// ready reports whether next would return a line at once.
func (r *lineReader) ready() bool {
	buffered, _ := r.in.Peek(r.in.Buffered()) // what is buffered can be peeked
	return bytes.IndexByte(buffered, '\n') >= 0
}

// stamp splits a line into timestamp and text. A line without a timestamp, from a
// server that ignores the option, gets that of the previous line.
func (r *lineReader) stamp(text []byte) (at time.Time, rest []byte, ok bool) {
	head := text[:min(len(text), longestStamp)]
	if i := bytes.IndexByte(head, ' '); i > 0 {
		if at, err := time.Parse(time.RFC3339Nano, string(head[:i])); err == nil {
			return at.UTC(), text[i+1:], true
		}
	}
	return r.last, text, false
}
