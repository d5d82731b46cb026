package sandbox

import (
	"errors"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// thread runs functions one at a time on a dedicated operating-system thread.
// Namespaces and Pdeathsig belong to threads, not to processes: the first process of a
// sandbox is killed when the thread that started it ends, and processes start in the
// namespaces of the thread that starts them.
type thread struct {
	calls chan func()
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once
}

func newThread() *thread {
	t := &thread{calls: make(chan func()), quit: make(chan struct{}), done: make(chan struct{})}
	go t.run()
	return t
}

func (t *thread) run() {
	runtime.LockOSThread()
	if unix.Gettid() == unix.Getpid() {
		// The main thread of a process cannot be ended, and its namespaces show in
		// /proc/self. Keep it locked here while the work runs on another thread.
		go t.run()
		<-t.done
		runtime.UnlockOSThread()
		return
	}
	// The thread is still locked when this returns, so that the Go runtime destroys
	// it instead of reusing a thread in foreign namespaces.
	defer close(t.done)
	for {
		select {
		case call := <-t.calls:
			call()
		case <-t.quit:
			return
		}
	}
}

var errThreadStopped = errors.New("sandbox is closed")

// do runs fn on the thread and returns its error.
func (t *thread) do(fn func() error) error {
	result := make(chan error, 1)
	select {
	case t.calls <- func() { result <- fn() }:
		return <-result
	case <-t.done:
		return errThreadStopped
	}
}

// stop ends the thread and waits for it. It may be called more than once.
func (t *thread) stop() {
	t.once.Do(func() { close(t.quit) })
	<-t.done
}
