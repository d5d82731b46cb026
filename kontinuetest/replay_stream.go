package kontinuetest

import (
	"sync"

	"k8s.io/apimachinery/pkg/watch"
)

// stream has the events of a recorded watch. It grows until somebody watches.
type stream struct {
	resource string
	news     chan struct{} // holds a token when events were added

	mu     sync.Mutex
	events []watch.Event
	closed bool
}

func newStream(resource string) *stream {
	return &stream{resource: resource, news: make(chan struct{}, 1)}
}

func (s *stream) add(e watch.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
	s.notify()
}

func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.notify()
}

func (s *stream) notify() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

// first returns the first event, and whether there is one or will be one.
func (s *stream) first() (e watch.Event, there, open bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.events) == 0 {
		return e, false, !s.closed
	}
	return s.events[0], true, true
}

// over reports whether the watch has nothing more to bring.
func (s *stream) over() bool {
	_, there, open := s.first()
	return !there && !open
}

func (s *stream) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = s.events[1:]
}

// watch returns a watch that brings what no earlier one has brought.
func (s *stream) watch() watch.Interface {
	w := &replayedWatch{out: make(chan watch.Event), stop: make(chan struct{})}
	go w.pass(s)
	return w
}

type replayedWatch struct {
	out  chan watch.Event
	once sync.Once
	stop chan struct{}
}

// ResultChan implements [watch.Interface].
func (w *replayedWatch) ResultChan() <-chan watch.Event { return w.out }

// Stop implements [watch.Interface].
func (w *replayedWatch) Stop() { w.once.Do(func() { close(w.stop) }) }

func (w *replayedWatch) pass(s *stream) {
	defer close(w.out)
	for {
		event, there, open := s.first()
		switch {
		case there:
			select {
			case w.out <- event:
				s.drop()
			case <-w.stop:
				return
			}
		case !open:
			return
		default:
			select {
			case <-s.news:
			case <-w.stop:
				return
			}
		}
	}
}
