package dispatch

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// Future is one waiter's subscription: it takes in the events of one owner UID
// and wakes the waiter when there is something to decide. It is made by
// [Dispatcher.Register] and used by one waiter; Offer may be called by others.
type Future[E any] struct {
	dispatcher *Dispatcher[E]
	ready      chan struct{}

	mu    sync.Mutex // serialises apply
	apply func(E) bool

	// Guarded by the shard's lock.
	uid   types.UID
	bound bool
	next  *Future[E]
}

// Bind subscribes the future to the events of uid, from this call on. The
// caller looks at the cache afterwards and offers what it finds there. It
// fails with the dispatcher's cause when that is closed, and panics when the
// future is bound already: one future waits for one object.
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

// Offer folds one event into the future's state, as Dispatch does. A waiter
// uses it for what it read from the cache or from the API server itself.
func (f *Future[E]) Offer(event E) {
	f.mu.Lock()
	wake := f.apply(event)
	f.mu.Unlock()
	if wake {
		select {
		case f.ready <- struct{}{}:
		default: // the waiter has not taken the last wake-up yet; it will see this state too
		}
	}
}

// Do runs fn while no event is being applied, for a consistent look at the
// state that apply maintains.
func (f *Future[E]) Do(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

// Ready receives a value after one or more events that asked for a wake-up.
func (f *Future[E]) Ready() <-chan struct{} { return f.ready }

// Done is closed when the dispatcher is closed.
func (f *Future[E]) Done() <-chan struct{} { return f.dispatcher.done }

// Err returns the cause of a closed dispatcher, and nil before that.
func (f *Future[E]) Err() error {
	f.dispatcher.mu.RLock()
	defer f.dispatcher.mu.RUnlock()
	return f.dispatcher.cause
}

// Cancel ends the subscription. After it returns apply is not called again by
// Dispatch. It is idempotent.
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
