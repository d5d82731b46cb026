package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// silentAfter is when a watch from which nothing came is no longer taken to be
	// well: two bookmarks, which an API server sends about once a minute, are
	// missing.
	silentAfter = 2 * time.Minute
	// reopenWithin is what an informer may take to open a watch again that the API
	// server has ended in good order, as it does every few minutes.
	reopenWithin = 2 * time.Second
)

// line is what the transport of CloseIdle knows of one watch request: without it
// a watch that is half-open would look like one of a quiet namespace. Of a client
// without that transport, such as a fake one, nothing is known. A nil line is of
// no source.
type line struct {
	source *source

	mu     sync.Mutex
	answer int       // client-go may send one request several times; the last answer counts
	heard  time.Time // when something came last; zero: nothing is known
	ended  time.Time // zero while it is open
}

type lineKey struct{}

func lineOf(ctx context.Context) *line {
	l, _ := ctx.Value(lineKey{}).(*line)
	return l
}

// open is told of the headers of an answer, and returns its number.
func (l *line) open() (answer int) {
	if l == nil {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer++
	l.heard, l.ended = time.Now(), time.Time{}
	return l.answer
}

// hear is told that something has come: an event, a bookmark.
func (l *line) hear() {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = time.Now()
}

// end is told why nothing more will come of an answer.
func (l *line) end(answer int, err error) {
	if l == nil {
		return
	}
	l.mu.Lock()
	first := l.ended.IsZero() && l.answer == answer
	if first {
		l.ended = time.Now()
	}
	l.mu.Unlock()
	if first && !errors.Is(err, io.EOF) {
		l.source.broke(l, err)
	}
}

// trouble is what is wrong with a watch that was opened, or nil.
func (l *line) trouble() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.heard.IsZero():
		return nil
	case !l.ended.IsZero() && time.Since(l.ended) > reopenWithin:
		return fmt.Errorf("it ended %s ago and is not open again", time.Since(l.ended).Round(time.Second))
	case l.ended.IsZero() && time.Since(l.heard) > silentAfter:
		return fmt.Errorf("nothing came from the API server for %s", time.Since(l.heard).Round(time.Second))
	default:
		return nil
	}
}
