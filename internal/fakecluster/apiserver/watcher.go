package apiserver

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// WatchInfo describes an open watch.
type WatchInfo struct {
	// User is the identity of the client that opened the watch.
	User string
	// Resource is the plural resource name, for example "pods".
	Resource string
	// Namespace is the namespace watched, "" for all.
	Namespace string
	// LabelSelector is the selector of the request.
	LabelSelector string
}

// pending is an event that waits to be sent: a state of an object, or the Status of
// an error.
type pending struct {
	kind   watch.EventType
	rev    *revision
	status *metav1.Status
}

// event returns the event with a copy of its object.
func (p pending) event() watch.Event {
	if p.status != nil {
		return watch.Event{Type: p.kind, Object: p.status.DeepCopy()}
	}
	return watch.Event{Type: p.kind, Object: clone(p.rev.object)}
}

// watcher is one open watch. The goroutine of its request, in run, sends the events of
// the queue until the request's context ends, the watch is cut, or the server closes.
type watcher struct {
	s     *Server
	t     *table
	info  WatchInfo
	match func(object) bool // nil matches all
	opts  metav1.ListOptions

	wake chan struct{} // capacity 1
	quit chan struct{}

	mu     sync.Mutex
	queue  []pending
	swap   bool          // swap the next two events
	gate   chan struct{} // not nil while stalled; closed to resume
	ended  bool          // quit is closed
	broken error         // with which the connection ends; nil if orderly
}

// errCut is the error of a client whose connection is lost.
var errCut = fmt.Errorf("read tcp: %w", syscall.ECONNRESET)

// end closes the watch like a server that shuts down.
func (w *watcher) end() { w.breakOff(nil) }

// cut loses the connection.
func (w *watcher) cut() { w.breakOff(errCut) }

func (w *watcher) breakOff(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended, w.broken = true, err
		w.queue = nil
		close(w.quit)
	}
}

// offer queues the change if it matches the watch's selectors. An object that stops
// matching is DELETED for the client, and one that starts to match is ADDED. The caller
// holds Server.mu, so the order is the store's.
func (w *watcher) offer(c *change) {
	if w.info.Namespace != "" && c.obj.GetNamespace() != w.info.Namespace {
		return
	}
	is := c.kind != watch.Deleted && w.matches(c.obj)
	was := c.prev != nil && w.matches(c.prev)
	switch {
	case is && was:
		w.push(pending{kind: watch.Modified, rev: c.obj})
	case is:
		w.push(pending{kind: watch.Added, rev: c.obj})
	case was:
		// As the real watch cache does: the state before, the resource version after.
		w.push(pending{kind: watch.Deleted, rev: c.left()})
	}
}

func (w *watcher) matches(r *revision) bool { return w.match == nil || w.match(r.object) }

func (w *watcher) push(p pending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return
	}
	w.queue = append(w.queue, p)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// expire replaces everything unread by the ERROR event of a 410 Gone.
func (w *watcher) expire(err *apierrors.StatusError) {
	w.mu.Lock()
	w.queue = nil
	w.mu.Unlock()
	status := err.Status()
	w.push(pending{kind: watch.Error, status: &status})
}

// next takes the oldest queued event. A stalled watch has none; the caller then waits
// for gate.
func (w *watcher) next() (p pending, ok bool, gate chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gate != nil {
		return p, false, w.gate
	}
	if len(w.queue) == 0 || w.swap && len(w.queue) < 2 {
		return p, false, nil
	}
	if w.swap {
		w.swap = false
		w.queue[0], w.queue[1] = w.queue[1], w.queue[0]
	}
	p = w.queue[0]
	w.queue[0] = pending{}
	w.queue = w.queue[1:]
	return p, true, nil
}

// run writes the events until the watch ends. It returns the error with which the
// connection breaks, or nil for an orderly end.
func (w *watcher) run(ctx context.Context, write func(pending) error) error {
	defer w.s.unregister(w)

	var deadline <-chan time.Time
	if n := w.opts.TimeoutSeconds; n != nil && *n > 0 {
		timer := time.NewTimer(time.Duration(*n) * time.Second)
		defer timer.Stop()
		deadline = timer.C
	}
	var heartbeat <-chan time.Time
	if w.opts.AllowWatchBookmarks {
		ticker := time.NewTicker(w.s.opts.BookmarkPeriod)
		defer ticker.Stop()
		heartbeat = ticker.C
	}
	for {
		p, ok, gate := w.next()
		if ok {
			if err := w.send(ctx, p, write); err != nil {
				return err
			}
			if p.kind == watch.Error {
				return nil
			}
			continue
		}
		if gate != nil {
			select {
			case <-gate:
			case <-w.quit:
				return w.broken
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		select {
		case <-w.wake:
		case <-heartbeat:
			w.s.bookmark(w, nil)
		case <-deadline:
			// A server-side timeout is a clean end of the stream, after a last
			// bookmark from which the client resumes without replay.
			if p, ok := w.s.lastBookmark(w); ok {
				return w.send(ctx, p, write)
			}
			return nil
		case <-w.quit:
			return w.broken
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// send writes one event, through the hook if there is one.
func (w *watcher) send(ctx context.Context, p pending, write func(pending) error) error {
	if hook := w.s.watchHook.Load(); hook != nil {
		deliver, delay := (*hook)(w.info, p.event())
		if !deliver {
			return nil
		}
		if delay > 0 {
			timer := time.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-w.quit:
				return w.broken
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
	}
	if err := write(p); err != nil {
		return err
	}
	w.s.stats.sent(w.info)
	return nil
}

// bookmark queues a bookmark at the store's present resource version.
func (s *Server) bookmark(w *watcher, annotations map[string]string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	w.push(s.newBookmark(w.t.res, annotations))
}

// lastBookmark returns a bookmark if all events have been sent to the client.
func (s *Server) lastBookmark(w *watcher) (pending, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.opts.AllowWatchBookmarks || len(w.queue) > 0 || w.ended {
		return pending{}, false
	}
	return s.newBookmark(w.t.res, nil), true
}

// newBookmark needs s.mu: every change up to the resource version has been offered.
func (s *Server) newBookmark(r *resource, annotations map[string]string) pending {
	o := r.newObject()
	o.SetAnnotations(annotations)
	o.SetResourceVersion(formatRV(s.rv))
	return pending{kind: watch.Bookmark, rev: &revision{object: o, rv: s.rv}}
}
