package kubelet

import (
	"bytes"
	"sync"
	"time"
)

// chunkLimit is the longest piece of a line that is kept in one piece, as in the
// log files of container runtimes.
const chunkLimit = 16 << 10

// logBuffer is the log of one container instance: lines with the time they were
// begun, the oldest dropped when there are too many bytes. It is safe for
// concurrent use.
type logBuffer struct {
	limit int

	mu      sync.Mutex
	disk    *logFile // nil if it is in memory only
	chunks  []chunk
	first   int // sequence number of chunks[0]
	size    int
	spilled int64 // bytes dropped
	closed  bool
	changed chan struct{} // closed at the next change; nil without a waiter
}

// chunk is a line or, of a long one, a part.
type chunk struct {
	at   time.Time
	text []byte // with its newline, if it has come
	cont bool   // continues the line of the chunk before
}

func (c chunk) whole() bool { return len(c.text) > 0 && c.text[len(c.text)-1] == '\n' }

func newLogBuffer(limit int, disk *logFile) *logBuffer { return &logBuffer{limit: limit, disk: disk} }

// Write appends p. It never fails.
func (b *logBuffer) Write(p []byte) (int, error) {
	all, now := p, time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(p) > 0 {
		piece := p
		if end := bytes.IndexByte(p, '\n'); end >= 0 {
			piece = p[:end+1]
		}
		p = p[len(piece):]
		b.append(piece, now)
	}
	for b.size > b.limit && len(b.chunks) > 1 {
		b.drop()
	}
	b.disk.append(b, all, now)
	b.notify()
	return len(all), nil
}

func (b *logBuffer) append(piece []byte, now time.Time) {
	for len(piece) > 0 {
		last := len(b.chunks) - 1
		if last < 0 || b.chunks[last].whole() || len(b.chunks[last].text) >= chunkLimit {
			cont := last >= 0 && !b.chunks[last].whole()
			b.chunks = append(b.chunks, chunk{at: now, cont: cont})
			last++
		}
		room := min(len(piece), chunkLimit-len(b.chunks[last].text))
		b.chunks[last].text = append(b.chunks[last].text, piece[:room]...)
		b.size += room
		piece = piece[room:]
	}
}

func (b *logBuffer) drop() {
	n := len(b.chunks[0].text)
	b.size -= n
	b.spilled += int64(n)
	b.chunks[0] = chunk{}
	b.chunks = b.chunks[1:]
	b.first++
}

// close marks the end of the log, at which readers that follow it stop.
func (b *logBuffer) close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	b.disk.close()
	b.notify()
}

func (b *logBuffer) notify() {
	if b.changed != nil {
		close(b.changed)
		b.changed = nil
	}
}

// tail returns the last lines, limited in number and bytes.
func (b *logBuffer) tail(lines, size int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []byte
	from := tailStart(b.chunks, lines)
	for _, c := range b.chunks[from:] {
		out = append(out, c.text...)
	}
	return string(out[max(0, len(out)-size):])
}

// tailStart returns the index of the chunk that begins the last n lines.
func tailStart(chunks []chunk, n int) int {
	if n <= 0 {
		return len(chunks)
	}
	for i := len(chunks) - 1; i >= 0; i-- {
		if !chunks[i].cont {
			if n--; n == 0 {
				return i
			}
		}
	}
	return 0
}
