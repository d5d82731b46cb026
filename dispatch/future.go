package dispatch

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Future is one waiter's subscription to the events of one owner UID. It is
// created by [Dispatcher.Register] and used by a single waiter: Bind and Cancel
// must not be called concurrently. The other methods are safe for concurrent use.
type Future[E any] struct {
	dispatcher *Dispatcher[E]
	wake       func()

	mu    sync.Mutex // serializes apply and Do
	apply func(E) bool

	// Guarded by the shard's lock.
	uid   types.UID
	bound bool
	next  *Future[E]
}

// Bind subscribes the future to the events of uid that are dispatched from now
// on. The caller then reads the cache once, for the events from before, and
// updates its state with [Future.Do].
//
// Bind returns the cause given to [Dispatcher.Close] if the dispatcher is closed.
// It panics if the future is already bound: a future waits for one object.
func (f *Future[E]) Bind(uid types.UID) error {
	d := f.dispatcher
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return d.cause
	}
	s, hash := d.shard(uid)
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.bound {
		panic("dispatch: Bind of a bound future")
	}
	f.uid, f.bound = uid, true
	f.next = s.futures[hash]
	s.futures[hash] = f
	return nil
}

// offer applies event and, if apply asks for it, wakes the waiter.
func (f *Future[E]) offer(event E) {
	f.mu.Lock()
	wake := f.apply(event)
	f.mu.Unlock()
	if wake {
		f.wake()
	}
}

// Do runs fn while no event is being applied. The waiter uses it to read, and to
// update, the state that apply maintains. fn must not call Do.
func (f *Future[E]) Do(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

// Err returns the cause given to [Dispatcher.Close] ([ErrClosed] for nil), or nil
// while the dispatcher is open.
func (f *Future[E]) Err() error {
	f.dispatcher.mu.RLock()
	defer f.dispatcher.mu.RUnlock()
	return f.dispatcher.cause
}

// Cancel ends the subscription. After it has returned, apply is not called again.
// Canceling twice, or a future that was never bound, does nothing.
func (f *Future[E]) Cancel() {
	uid, d := f.uid, f.dispatcher
	s, hash := d.shard(uid)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !f.bound {
		return
	}
	f.bound = false
	if s.futures[hash] == f {
		if f.next == nil {
			delete(s.futures, hash)
		} else {
			s.futures[hash] = f.next
		}
		return
	}
	for p := s.futures[hash]; p != nil; p = p.next {
		if p.next == f {
			p.next = f.next
			return
		}
	}
}
