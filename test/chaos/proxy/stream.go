package proxy

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// stream is one request, which may be a watch.
type stream struct {
	p      *Proxy
	of     request
	cancel context.CancelFunc
}

// open returns the request to send upstream. EndWatches can end it if it is a watch.
func (s *stream) open(r *http.Request) (out *http.Request, done func()) {
	ctx, cancel := context.WithCancel(r.Context())
	s.cancel = cancel
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	if s.of.verb == "watch" {
		s.p.watches[s] = true
	}
	return r.Clone(ctx), func() {
		cancel()
		s.p.mu.Lock()
		defer s.p.mu.Unlock()
		delete(s.p.watches, s)
	}
}

// events copies a watch event by event. Each event is preceded by its length in four
// bytes.
func (s *stream) events(w http.ResponseWriter, from io.Reader) {
	to := flusher{w}
	_ = http.NewResponseController(w).Flush() // the headers
	reader := bufio.NewReader(from)
	for {
		frame, err := readFrame(reader)
		if err != nil {
			return
		}
		var event metav1.WatchEvent
		if err := event.Unmarshal(frame); err != nil {
			return
		}
		if s.p.shift != 0 {
			event.Object.Raw = s.p.shiftRaw(event.Object.Raw)
			if frame, err = event.Marshal(); err != nil {
				return
			}
		}
		if event.Type == string(watch.Bookmark) {
			s.p.mu.Lock()
			drop := s.p.lasting(NoBookmarks)
			if drop {
				s.p.injected[NoBookmarks]++
			}
			s.p.mu.Unlock()
			if drop {
				continue
			}
		}
		if event.Type != string(watch.Bookmark) && event.Type != string(watch.Error) {
			if kind, hit := s.p.take(ofEvents, s.of); hit && s.corrupt(to, kind, frame) {
				return
			}
		}
		if writeFrame(to, frame) != nil {
			return
		}
	}
}

// corrupt applies a fault to an event, and reports whether it ends the watch.
func (s *stream) corrupt(to io.Writer, kind Kind, frame []byte) (ends bool) {
	switch kind {
	case Duplicate:
		return writeFrame(to, frame) != nil
	case Truncate:
		half := binary.BigEndian.AppendUint32(nil, uint32(len(frame)))
		_, _ = to.Write(append(half, frame[:len(frame)/2]...))
	case GoneEvent:
		if gone, err := goneFrame(); err == nil {
			_ = writeFrame(to, gone)
		}
	}
	return true
}

func readFrame(from io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(from, length[:]); err != nil {
		return nil, err
	}
	frame := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(from, frame)
	return frame, err
}

func writeFrame(to io.Writer, frame []byte) error {
	_, err := to.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(frame))), frame...))
	return err
}
