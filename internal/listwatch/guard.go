package listwatch

import (
	"context"
	"errors"
	"io"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// open sends one request to watch, and gives it up when no answer has begun after 30 s.
// A watch of a client without the transport of [CloseIdle] is guarded here.
func (l *ListerWatcher) open(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	s := &stream{owner: l}
	ctx, end := context.WithCancelCause(context.WithValue(ctx, streamKey{}, s))
	late := time.AfterFunc(headerTimeout, func() { end(errIdle) })
	in, err := l.cfg.Watch(ctx, opts)
	late.Stop()
	if err != nil {
		if errors.Is(context.Cause(ctx), errIdle) {
			err = errIdle
		}
		end(nil)
		return nil, err
	}
	l.setStream(s)
	w := &guarded{Interface: in, end: func() { end(nil) }}
	if !s.known() {
		w.out, w.stop = make(chan watch.Event), ctx.Done()
		if l.bookmarks.Load() {
			s.open()
		}
		go w.pass(s)
	}
	return w, nil
}

// guarded is a watch that ends when nothing has come for too long, so that the
// reflector opens a new one.
type guarded struct {
	watch.Interface
	end func() // of the request's context

	out  chan watch.Event // nil: the transport guards it
	stop <-chan struct{}  // closed when that context has ended
}

// ResultChan implements [watch.Interface].
func (w *guarded) ResultChan() <-chan watch.Event {
	if w.out == nil {
		return w.Interface.ResultChan()
	}
	return w.out
}

// Stop implements [watch.Interface].
func (w *guarded) Stop() {
	w.Interface.Stop()
	w.end()
}

// pass passes the events on. Silence is wrong only of a server that sends bookmarks, as
// an API server does about once a minute: a fake clientset sends none, and its watch may
// be silent for as long as a test takes. It is taken for one of the former when it is
// reached by HTTP, or when any of its watches has brought a bookmark.
func (w *guarded) pass(s *stream) {
	defer close(w.out)
	defer w.Stop()
	bookmarks := &s.owner.bookmarks
	idle := time.NewTimer(DefaultIdleTimeout)
	defer idle.Stop()
	for {
		var event watch.Event
		var open bool
		select {
		case event, open = <-w.Interface.ResultChan():
		default:
			select {
			case event, open = <-w.Interface.ResultChan():
			case <-w.stop:
				s.end(s.last(), io.EOF)
				return
			case <-idle.C:
				if !bookmarks.Load() {
					idle.Reset(DefaultIdleTimeout)
					continue
				}
				s.end(s.last(), errIdle)
				return
			}
		}
		if !open {
			s.end(s.last(), io.EOF)
			return
		}
		if event.Type == watch.Bookmark {
			bookmarks.Store(true)
		}
		if bookmarks.Load() {
			s.touch()
		}
		select {
		case w.out <- event:
		case <-w.stop:
			s.end(s.last(), io.EOF)
			return
		}
		idle.Reset(DefaultIdleTimeout)
	}
}
