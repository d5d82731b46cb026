package listwatch

import (
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
)

// wanted is a watch of which only the wanted objects arrive. An event of another one
// becomes a bookmark: the reflector takes its resource version, from which it resumes the
// watch, and keeps nothing of it.
//
// It is not [watch.Filter], whose goroutine is left behind if it has an event when the
// reflector stops to read.
type wanted struct {
	watch.Interface
	out     chan watch.Event
	stopped chan struct{}
	stop    sync.Once
}

// newWanted filters a watch until it ends or is stopped.
func newWanted(in watch.Interface, keep func(runtime.Object) bool) watch.Interface {
	w := &wanted{Interface: in, out: make(chan watch.Event), stopped: make(chan struct{})}
	go w.pass(keep)
	return w
}

// ResultChan implements [watch.Interface].
func (w *wanted) ResultChan() <-chan watch.Event { return w.out }

// Stop implements [watch.Interface].
func (w *wanted) Stop() {
	w.stop.Do(func() { close(w.stopped) })
	w.Interface.Stop()
}

func (w *wanted) pass(keep func(runtime.Object) bool) {
	defer close(w.out)
	for event := range w.Interface.ResultChan() {
		switch event.Type {
		case watch.Added, watch.Modified, watch.Deleted:
			if !keep(event.Object) {
				event.Type = watch.Bookmark
			}
		case watch.Bookmark, watch.Error:
		}
		select {
		case w.out <- event:
		case <-w.stopped:
			return
		}
	}
}
