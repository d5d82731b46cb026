package logs

import (
	"context"
	"sync"
	"sync/atomic"
)

// turns bounds how many logs are followed at a time.
type turns struct {
	once sync.Once
	all  chan struct{} // one element for each log that is open
	live chan struct{} // one element for each of them whose container is running

	waiting atomic.Int64 // followers that have no turn yet
}

// of returns the turns of a reader. A part of them is not available to containers that
// are running: those hold theirs for as long as they run, and the log of one that has
// ended, which takes a moment, must not wait for that.
func (t *turns) of(limit int) (all, live chan struct{}) {
	t.once.Do(func() {
		reserved := limit / 8
		if limit > 1 {
			reserved = max(reserved, 1)
		}
		t.all, t.live = make(chan struct{}, limit), make(chan struct{}, limit-reserved)
	})
	return t.all, t.live
}

// Streams returns how many logs [Reader.Follow] has open, of MaxStreams, and how many wait
// for one of these to end.
func (r *Reader) Streams() (open, queued int) {
	all, _ := r.turns.of(positiveOr(r.MaxStreams, DefaultMaxStreams))
	return len(all), int(r.turns.waiting.Load())
}

// turn is a follower's right to have its log open. Its methods may be called
// concurrently.
type turn struct {
	mu   sync.Mutex
	held []chan struct{} // that have an element of this turn
}

// take waits for a turn, unless the follower has one. It returns the cause of ctx if that
// ends first.
func (t *turn) take(ctx context.Context, r *Reader, source *Source) error {
	all, live := r.turns.of(positiveOr(r.MaxStreams, DefaultMaxStreams))
	r.turns.waiting.Add(1)
	defer r.turns.waiting.Add(-1)
	for !t.has(all) {
		wanted := all
		state, changed := source.get()
		if state.live() && !t.has(live) {
			wanted = live
		}
		select {
		case wanted <- struct{}{}:
			t.add(wanted)
		case <-changed.Done():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (t *turn) has(c chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, held := range t.held {
		if held == c {
			return true
		}
	}
	return false
}

func (t *turn) add(c chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.held = append(t.held, c)
}

// release gives the turn back, if the follower has one.
func (t *turn) release() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range t.held {
		<-c
	}
	t.held = nil
}
