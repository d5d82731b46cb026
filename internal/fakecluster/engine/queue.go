package engine

import (
	"context"
	"sync"
	"time"
)

// Queue hands out keys to look at. A key that is added while it waits is handed
// out once; a key that is added while a worker holds it is handed out again
// when the worker is Done, so two workers never hold the same key.
type Queue[K comparable] struct {
	mu       sync.Mutex
	ready    []K
	waiting  map[K]struct{} // in ready
	held     map[K]struct{} // with a worker
	again    map[K]struct{} // added while held
	later    timers[K]
	failures map[K]int
	wake     chan struct{}
}

// NewQueue returns an empty Queue.
func NewQueue[K comparable]() *Queue[K] {
	return &Queue[K]{
		waiting:  map[K]struct{}{},
		held:     map[K]struct{}{},
		again:    map[K]struct{}{},
		failures: map[K]int{},
		wake:     make(chan struct{}, 1),
	}
}

// Add asks for key to be handed out as soon as a worker is free.
func (q *Queue[K]) Add(key K) {
	q.mu.Lock()
	q.add(key)
	q.mu.Unlock()
	q.signal()
}

// never is a delay that is not worth a timer.
const never = 100 * 365 * 24 * time.Hour

// AddAfter asks for key to be handed out once d has passed; a d of a hundred
// years and more is for ever.
func (q *Queue[K]) AddAfter(key K, d time.Duration) {
	if d >= never {
		return
	}
	if d <= 0 {
		q.Add(key)
		return
	}
	q.mu.Lock()
	q.later.push(timer[K]{at: time.Now().Add(d), key: key})
	q.mu.Unlock()
	q.signal()
}

// Retry is AddAfter with a delay that starts at base and doubles with each
// Retry of the same key up to limit, until Forget.
func (q *Queue[K]) Retry(key K, base, limit time.Duration) {
	q.mu.Lock()
	n := q.failures[key]
	q.failures[key] = n + 1
	q.mu.Unlock()
	delay := base
	for ; n > 0 && delay < limit; n-- {
		delay *= 2
	}
	q.AddAfter(key, min(delay, limit))
}

// Forget ends the series of Retry delays of key.
func (q *Queue[K]) Forget(key K) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.failures, key)
}

// Get waits for a key and hands it out. It returns false once ctx ends. Every
// key got must be given back with Done.
func (q *Queue[K]) Get(ctx context.Context) (K, bool) {
	for {
		if ctx.Err() != nil {
			var none K
			return none, false
		}
		key, ok, wait := q.pop()
		if ok {
			return key, true
		}
		if !q.block(ctx, wait) {
			var none K
			return none, false
		}
	}
}

// Done gives back a key got from Get.
func (q *Queue[K]) Done(key K) {
	q.mu.Lock()
	delete(q.held, key)
	_, more := q.again[key]
	if more {
		delete(q.again, key)
		q.add(key)
	}
	q.mu.Unlock()
	if more {
		q.signal()
	}
}

func (q *Queue[K]) add(key K) {
	if _, ok := q.held[key]; ok {
		q.again[key] = struct{}{}
		return
	}
	if _, ok := q.waiting[key]; ok {
		return
	}
	q.waiting[key] = struct{}{}
	q.ready = append(q.ready, key)
}

// pop takes a ready key, or says how long until one is due (0: none is).
func (q *Queue[K]) pop() (key K, ok bool, wait time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	for len(q.later) > 0 && !q.later[0].at.After(now) {
		q.add(q.later.pop().key)
	}
	if len(q.ready) > 0 {
		key, q.ready = q.ready[0], q.ready[1:]
		delete(q.waiting, key)
		q.held[key] = struct{}{}
		if len(q.ready) > 0 {
			q.signal() // another worker can take the next one
		}
		return key, true, 0
	}
	if len(q.later) > 0 {
		wait = q.later[0].at.Sub(now)
	}
	return key, false, wait
}

// block waits for a signal, for wait to pass (if not 0) or for ctx to end.
func (q *Queue[K]) block(ctx context.Context, wait time.Duration) bool {
	var due <-chan time.Time
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-q.wake:
	case <-due:
	}
	return true
}

func (q *Queue[K]) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

type timer[K comparable] struct {
	at  time.Time
	key K
}

// timers is a heap of timers, the next one first.
type timers[K comparable] []timer[K]

func (t timers[K]) before(i, j int) bool { return t[i].at.Before(t[j].at) }

func (t *timers[K]) push(x timer[K]) {
	*t = append(*t, x)
	h := *t
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h.before(i, parent) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (t *timers[K]) pop() timer[K] {
	h := *t
	first, last := h[0], len(h)-1
	h[0] = h[last]
	h[last] = timer[K]{}
	h = h[:last]
	*t = h
	for i := 0; ; {
		next := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h.before(child, next) {
				next = child
			}
		}
		if next == i {
			return first
		}
		h[i], h[next] = h[next], h[i]
		i = next
	}
}
