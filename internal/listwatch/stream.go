package listwatch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// silentAfter is when a watch without data is unhealthy: two bookmarks, which an
	// API server sends about once a minute, are missing.
	silentAfter = 2 * time.Minute
	// reopenWithin is what a reflector may take to reopen a watch that the API server
	// has ended in good order, as it does every few minutes.
	reopenWithin = 2 * time.Second
)

// stream tracks the liveness of one watch response. Without it a half-open connection
// looks like a quiet namespace. The transport of [CloseIdle] feeds it or, for a client
// without that transport, a guarded watch does. Of a fake one that sends no bookmarks
// nothing is known. The methods that the transport calls are no-ops on a nil stream,
// which belongs to no ListerWatcher.
type stream struct {
	owner *ListerWatcher

	mu     sync.Mutex
	answer int       // client-go may send one request several times; the last answer counts
	heard  time.Time // when data came last; zero: nothing is known
	ended  time.Time // zero while it is open
}

type streamKey struct{}

func streamOf(ctx context.Context) *stream {
	s, _ := ctx.Value(streamKey{}).(*stream)
	return s
}

// open records the headers of a response, and returns the response's number.
func (s *stream) open() (answer int) {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer++
	s.heard, s.ended = time.Now(), time.Time{}
	return s.answer
}

// known reports whether anything was recorded.
func (s *stream) known() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer > 0
}

// last returns the number of the last answer.
func (s *stream) last() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer
}

// touch records the arrival of data, an event or a bookmark.
func (s *stream) touch() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = time.Now()
}

// end records the end of a response, and why. The first reason counts.
func (s *stream) end(answer int, err error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	first := s.ended.IsZero() && s.answer == answer
	if first {
		s.ended = time.Now()
	}
	s.mu.Unlock()
	if first && !errors.Is(err, io.EOF) {
		s.owner.markBroken(s, err)
	}
}

// check returns what is wrong with a watch that was opened, or nil.
func (s *stream) check() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.heard.IsZero():
		return nil
	case !s.ended.IsZero() && time.Since(s.ended) > reopenWithin:
		return fmt.Errorf("it ended %s ago and is not open again", time.Since(s.ended).Round(time.Second))
	case s.ended.IsZero() && time.Since(s.heard) > silentAfter:
		return fmt.Errorf("nothing came from the API server for %s", time.Since(s.heard).Round(time.Second))
	default:
		return nil
	}
}
