package flight

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// watch opens a watch and records it with its events.
func (c kind) watch(ctx context.Context, o metav1.ListOptions, open func() (watch.Interface, error)) (watch.Interface, error) {
	q, began := c.list("watch", o), time.Now()
	in, err := open()
	line := Line{Kind: KindOpen, Request: &q.Request, Took: time.Since(began)}
	if err != nil {
		line.Error = c.r.failure(err, nil)
		line.Error.ended(ctx)
		c.r.add(line)
		return nil, err
	}
	c.r.mu.Lock()
	c.r.watches++
	line.Watch = c.r.watches
	c.r.mu.Unlock()
	c.r.add(line)
	w := &recordedWatch{Interface: in, r: c.r, id: line.Watch, out: make(chan watch.Event), stopped: make(chan struct{})}
	go w.pass()
	return w, nil
}

// recordedWatch passes the events of a watch on, each when it is recorded.
type recordedWatch struct {
	watch.Interface
	r       *Recorder
	id      int
	out     chan watch.Event
	once    sync.Once
	stopped chan struct{}
}

// ResultChan implements [watch.Interface].
func (w *recordedWatch) ResultChan() <-chan watch.Event { return w.out }

// Stop implements [watch.Interface].
func (w *recordedWatch) Stop() {
	w.once.Do(func() {
		w.r.add(Line{Kind: KindQuit, Watch: w.id})
		close(w.stopped)
	})
	w.Interface.Stop()
}

// pass ends when the watch ends, or when its receiver has stopped it.
func (w *recordedWatch) pass() {
	defer close(w.out)
	for {
		select {
		case <-w.stopped:
			return
		case event, open := <-w.Interface.ResultChan():
			if !open {
				w.r.add(Line{Kind: KindClose, Watch: w.id})
				return
			}
			w.r.addObject(Line{Kind: KindEvent, Watch: w.id, Event: string(event.Type)}, event.Object, nil)
			select {
			case w.out <- event:
			case <-w.stopped:
				return
			}
		}
	}
}
