package logs

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// tailBuffer keeps the last limit bytes of a stream. It holds at most twice the
// limit and one read.
type tailBuffer struct {
	limit int
	buf   []byte
}

// ReadFrom reads to the end of r.
func (t *tailBuffer) ReadFrom(r io.Reader) (total int64, err error) {
	chunk := make([]byte, min(32*1024, t.limit))
	for {
		n, err := r.Read(chunk)
		total += int64(n)
		t.write(chunk[:n])
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

func (t *tailBuffer) write(p []byte) {
	if len(t.buf)+len(p) > 2*t.limit {
		kept := copy(t.buf, t.buf[len(t.buf)-min(len(t.buf), t.limit):])
		t.buf = t.buf[:kept]
	}
	t.buf = append(t.buf, p...)
}

// String returns the end of the stream. If the start was dropped, the text begins
// with a whole line, or with a whole rune if a single line exceeds the limit.
func (t *tailBuffer) String() string {
	b := t.buf
	if len(b) <= t.limit {
		return string(b)
	}
	dropped := b[len(b)-t.limit-1]
	b = b[len(b)-t.limit:]
	if dropped == '\n' {
		return string(b)
	}
	if i := bytes.IndexByte(b, '\n'); i >= 0 && i < len(b)-1 {
		return string(b[i+1:])
	}
	for len(b) > 0 && !utf8.RuneStart(b[0]) {
		b = b[1:]
	}
	return string(b)
}
