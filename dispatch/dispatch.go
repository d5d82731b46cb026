package dispatch

import (
	"errors"
	"hash/maphash"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// ErrClosed is returned by [Dispatcher.Register], [Future.Bind] and [Future.Err]
// after [Dispatcher.Close] was called with a nil cause.
var ErrClosed = errors.New("dispatch: closed")

// shardCount is the number of independent locks. Two informers deliver events
// while thousands of waiters bind and cancel: 64 shards keep contention low.
const shardCount = 64

// Dispatcher routes events of type E to futures by owner UID. The zero value
// is not usable; call [New]. All methods are safe for concurrent use.
type Dispatcher[E any] struct {
	seed   maphash.Seed
	shards [shardCount]shard[E]

	mu     sync.RWMutex // guards closed and cause
	closed bool
	cause  error
}

// shard holds the bound futures, keyed by the hash of their UID. The hash selects
// the shard as well, so that each event is hashed once. Futures with the same hash
// form a linked list: two waits on the same object are rare, and each receives
// every event.
type shard[E any] struct {
	mu      sync.RWMutex
	futures map[uint64]*Future[E]
	_       [24]byte // padding to a cache line, against false sharing
}

// New returns an open dispatcher.
func New[E any]() *Dispatcher[E] {
	d := &Dispatcher[E]{seed: maphash.MakeSeed()}
	for i := range d.shards {
		d.shards[i].futures = make(map[uint64]*Future[E])
	}
	return d
}

func (d *Dispatcher[E]) shard(uid types.UID) (*shard[E], uint64) {
	hash := maphash.String(d.seed, string(uid))
	return &d.shards[hash%shardCount], hash
}

// Register returns a future that is not yet bound to a UID. Once it is bound, the
// dispatcher calls apply for each event of that UID, one at a time. apply updates
// the waiter's state and reports whether to wake the waiter, for which the dispatcher
// then calls wake. [Dispatcher.Close] calls it too. Both functions run on the goroutine
// that calls [Dispatcher.Dispatch] or Close, so they must return quickly, and they must
// not call methods of the dispatcher or of the future. Calls of wake may be concurrent.
//
// After [Dispatcher.Close], Register returns the cause given to Close. The waiter
// must call [Future.Cancel] when it is done.
func (d *Dispatcher[E]) Register(apply func(E) (wake bool), wake func()) (*Future[E], error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	if d.closed {
		return nil, d.cause
	}
	return &Future[E]{dispatcher: d, apply: apply, wake: wake}, nil
}

// Dispatch passes event to every future that is bound to uid and wakes those
// whose apply function asks for it. Futures see the events of a UID in the order
// of the calls, so the calls for one UID must not overlap. An event without a
// bound future costs one map lookup and does not allocate.
func (d *Dispatcher[E]) Dispatch(uid types.UID, event E) {
	s, hash := d.shard(uid)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for f := s.futures[hash]; f != nil; f = f.next {
		if f.uid == uid {
			f.offer(event)
		}
	}
}

// Close wakes the waiter of every bound future. From then on [Future.Err],
// [Dispatcher.Register] and [Future.Bind] return cause, or [ErrClosed] if cause is
// nil. Bound futures still receive events until they are canceled. Only the first
// call has an effect.
func (d *Dispatcher[E]) Close(cause error) {
	if cause == nil {
		cause = ErrClosed
	}
	d.mu.Lock()
	first := !d.closed
	if first {
		d.closed, d.cause = true, cause
	}
	d.mu.Unlock()
	if !first {
		return
	}
	for i := range d.shards { // nothing is bound any more
		d.shards[i].wake()
	}
}

// wake wakes the waiters of all futures of a shard.
func (s *shard[E]) wake() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, f := range s.futures {
		for ; f != nil; f = f.next {
			f.wake()
		}
	}
}
