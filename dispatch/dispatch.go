package dispatch

import (
	"errors"
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// ErrClosed is the cause of a future that ended because its dispatcher was
// closed without a cause of its own.
var ErrClosed = errors.New("dispatch: closed")

// shardCount spreads the futures over independent locks. Two informers deliver
// while thousands of waiters register and leave; 64 keeps them apart.
const shardCount = 64

// Dispatcher routes events of type E to futures by owner UID. The zero value
// is not usable; call [New]. All methods are safe for concurrent use.
type Dispatcher[E any] struct {
	seed   maphash.Seed
	shards [shardCount]shard[E]

	mu     sync.RWMutex // orders Bind against Close
	closed bool
	cause  error
	done   chan struct{}
}

// shard holds the futures of the UIDs that hash to it, by the hash: a UID is then
// hashed once, and compared where the future is. Futures of one hash form a list:
// two waits on the same object are rare, and each gets every event.
type shard[E any] struct {
	mu      sync.RWMutex
	futures map[uint64]*Future[E]
	_       [24]byte // keeps neighbouring locks off one cache line
}

// New returns an open dispatcher.
func New[E any]() *Dispatcher[E] {
	d := &Dispatcher[E]{seed: maphash.MakeSeed(), done: make(chan struct{})}
	for i := range d.shards {
		d.shards[i].futures = make(map[uint64]*Future[E])
	}
	return d
}

func (d *Dispatcher[E]) shard(uid types.UID) (*shard[E], uint64) {
	hash := maphash.String(d.seed, string(uid))
	return &d.shards[hash%shardCount], hash
}

// Register returns a future that is not bound to a UID yet. The future calls
// apply for every event it is offered, one at a time; apply folds the event
// into the waiter's state and reports whether the waiter must be woken. It
// must be quick and must not call the dispatcher.
//
// Register fails with the cause given to [Dispatcher.Close] once the
// dispatcher is closed. A registered future must be cancelled by its waiter.
func (d *Dispatcher[E]) Register(apply func(E) (wake bool)) (*Future[E], error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, d.cause
	}
	return &Future[E]{dispatcher: d, apply: apply, ready: make(chan struct{}, 1)}, nil
}

// Dispatch offers event to every future bound to uid. Events of one UID must
// be dispatched in order by one goroutine at a time for the futures to see
// them in order. An event nobody waits for costs one look-up and allocates
// nothing.
func (d *Dispatcher[E]) Dispatch(uid types.UID, event E) {
	s, hash := d.shard(uid)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for f := s.futures[hash]; f != nil; f = f.next {
		if f.uid == uid {
			f.Offer(event)
		}
	}
}

// Waiting reports whether a future is bound to uid.
func (d *Dispatcher[E]) Waiting(uid types.UID) bool {
	s, hash := d.shard(uid)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for f := s.futures[hash]; f != nil; f = f.next {
		if f.uid == uid {
			return true
		}
	}
	return false
}

// Len returns the number of bound futures.
func (d *Dispatcher[E]) Len() int {
	n := 0
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.RLock()
		for _, f := range s.futures {
			for ; f != nil; f = f.next {
				n++
			}
		}
		s.mu.RUnlock()
	}
	return n
}

// Close ends every future: their Done channels are closed and Err returns
// cause, or [ErrClosed] when cause is nil. Later calls of Register and Bind
// fail with it. Only the first call has an effect.
func (d *Dispatcher[E]) Close(cause error) {
	if cause == nil {
		cause = ErrClosed
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	d.closed, d.cause = true, cause
	close(d.done)
}
