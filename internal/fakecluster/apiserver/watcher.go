package apiserver

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

// pending is an event that waits to be read. The object is shared with the store
// and copied when it is sent.
type pending struct {
	kind watch.EventType
	obj  runtime.Object
	rv   uint64
}

// resultBuffer is the capacity of a watch's result channel. It saves goroutine
// switches. Further events wait in the watcher's queue.
const resultBuffer = 64

// watcher is one open watch. Its goroutine, run, moves events from the queue to the
// result channel; it ends at Stop, at the end of the request's context, when the
// watch is cut, or when the server closes, and Server.Close waits for it.
type watcher struct {
	s     *Server
	t     *table
	info  WatchInfo
	match func(object) bool // nil matches all
	opts  metav1.ListOptions

	out  chan watch.Event
	wake chan struct{} // capacity 1
	quit chan struct{}

	mu    sync.Mutex
	queue []pending
	gate  chan struct{} // not nil while stalled; closed to resume
	ended bool          // quit is closed
}

// ResultChan implements watch.Interface.
func (w *watcher) ResultChan() <-chan watch.Event { return w.out }

// Stop implements watch.Interface. It does not wait for the goroutine.
func (w *watcher) Stop() { w.end() }

func (w *watcher) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.ended {
		w.ended = true
		w.queue = nil
		close(w.quit)
	}
}

// offer queues the change if it matches the watch's selectors. An object that stops
// matching is DELETED for the client, and one that starts to match is ADDED. The caller
// holds Server.mu, so the order is the store's.
func (w *watcher) offer(c change) {
	if w.info.Namespace != "" && c.obj.GetNamespace() != w.info.Namespace {
		return
	}
	is := c.kind != watch.Deleted && w.matches(c.obj)
	was := c.prev != nil && w.matches(c.prev)
	switch {
	case is && was:
		w.push(pending{watch.Modified, c.obj, c.rv})
	case is:
		w.push(pending{watch.Added, c.obj, c.rv})
	case was:
		// As the real watch cache does: the state before, the resource version after.
		w.push(pending{watch.Deleted, c.prev, c.rv})
	}
}

func (w *watcher) matches(o object) bool { return w.match == nil || w.match(o) }

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
	w.push(pending{kind: watch.Error, obj: &status})
}

// next takes the oldest queued event. A stalled watch has none; the caller then waits
// for gate.
func (w *watcher) next() (p pending, ok bool, gate chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gate != nil {
		return p, false, w.gate
	}
	if len(w.queue) == 0 {
		return p, false, nil
	}
	p = w.queue[0]
	w.queue[0] = pending{}
	w.queue = w.queue[1:]
	return p, true, nil
}

func (w *watcher) run(ctx context.Context) {
	defer w.s.watches.Done()
	defer close(w.out)
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
			if !w.send(ctx, p) || p.kind == watch.Error {
				return
			}
			continue
		}
		if gate != nil {
			select {
			case <-gate:
			case <-w.quit:
				return
			case <-ctx.Done():
				return
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
				w.send(ctx, p)
			}
			return
		case <-w.quit:
			return
		case <-ctx.Done():
			return
		}
	}
}

// send delivers one event, through the hook if there is one. It returns false if the
// watch has ended.
func (w *watcher) send(ctx context.Context, p pending) bool {
	ev := watch.Event{Type: p.kind, Object: p.obj.DeepCopyObject()}
	if o, ok := ev.Object.(object); ok {
		o.SetResourceVersion(formatRV(p.rv))
	}
	if hook := w.s.watchHook.Load(); hook != nil {
		deliver, delay := (*hook)(w.info, ev)
		if !deliver {
			return true
		}
		if delay > 0 {
			timer := time.NewTimer(delay)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-w.quit:
				return false
			case <-ctx.Done():
				return false
			}
		}
	}
	select {
	case w.out <- ev:
		w.s.stats.sent(w.info)
		return true
	case <-w.quit:
		return false
	case <-ctx.Done():
		return false
	}
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
	return pending{watch.Bookmark, o, s.rv}
}
