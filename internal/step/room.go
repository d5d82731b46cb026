package step

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/watch"
)

// Room bounds how many Jobs of a worker group run at a time. Steps that would create a
// further one wait, and are admitted in the order in which they came.
//
// What runs is counted anew each time, from the Jobs that the watch shows and from the
// creates that are under way: events only say when to count. So a Job that is created,
// ends, is suspended or disappears unseen never holds a place for longer than the watch
// shows it. A nil Room has no bound.
type Room struct {
	limit   int
	watcher *watch.Watcher

	mu      sync.Mutex
	under   map[place][]*admission // creates that the watch does not show yet; mostly one call each
	waiting []*admission
}

// place names a Job that is created.
type place struct{ namespace, name string }

// admission is a call that waits for room, or has a create under way. Several calls of a step
// share its place.
type admission struct {
	place
	admitted chan struct{}
}

// NewRoom returns a Room for limit Jobs, or nil if there is no limit.
func NewRoom(limit int) *Room {
	if limit <= 0 {
		return nil
	}
	return &Room{limit: limit, under: map[place][]*admission{}}
}

// enter returns when there is room for a create, which then is under way. It calls queued if
// it has to wait. The error is the cause of ctx.
func (r *Room) enter(ctx context.Context, p place, queued func()) (*admission, error) {
	a := &admission{place: p, admitted: make(chan struct{})}
	r.mu.Lock()
	if len(r.under[p]) > 0 || len(r.waiting) == 0 && r.free() {
		r.under[p] = append(r.under[p], a)
		r.mu.Unlock()
		return a, nil
	}
	r.waiting = append(r.waiting, a)
	r.mu.Unlock()
	queued()
	select {
	case <-a.admitted:
		return a, nil
	case <-ctx.Done():
		r.mu.Lock()
		r.waiting = slices.DeleteFunc(r.waiting, func(other *admission) bool { return other == a })
		r.mu.Unlock()
		r.leave(a) // it may have been admitted a moment ago
		return nil, context.Cause(ctx)
	}
}

// leave ends a create: the Job was not created, or has ended.
func (r *Room) leave(a *admission) {
	r.mu.Lock()
	r.under[a.place] = slices.DeleteFunc(r.under[a.place], func(other *admission) bool { return other == a })
	if len(r.under[a.place]) == 0 {
		delete(r.under, a.place)
	}
	r.mu.Unlock()
	r.changed()
}

// unseenFor is how long the watch may take to show a Job: so long the API server may work on
// its create, and so long the watch is taken for healthy without an event.
const unseenFor = apicall.Timeout + 2*time.Minute

// abandon is leave for a create that may have made a Job, or may still make it: the place is
// kept until the watch shows the Job, or would have.
func (r *Room) abandon(a *admission) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prune()
	if !slices.Contains(r.under[a.place], a) {
		return
	}
	time.AfterFunc(unseenFor, func() {
		if err := r.watcher.Healthy(); err != nil && !errors.Is(err, watch.ErrStopped) {
			r.abandon(a)
			return
		}
		r.leave(a)
	})
}

// changed admits steps if there is room now.
func (r *Room) changed() {
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.prune()
	for len(r.waiting) > 0 && r.free() {
		a := r.waiting[0]
		r.waiting = r.waiting[1:]
		r.under[a.place] = append(r.under[a.place], a)
		close(a.admitted)
	}
}

// prune ends the creates whose Jobs the watch shows: they are counted with the others. The
// caller holds the lock.
func (r *Room) prune() {
	for p := range r.under {
		if _, shown := r.watcher.Job(p.namespace, p.name); shown {
			delete(r.under, p)
		}
	}
}

// free reports whether there is room for one more. The caller holds the lock.
func (r *Room) free() bool {
	r.prune()
	return r.watcher.Running()+len(r.under) < r.limit
}

// admit has the step wait for room before it creates a Job. A Job that is created suspended
// does not run.
func (s *Step) admit(ctx context.Context, request *jobs.Request, name string) error {
	room := s.engine.Room
	if suspend := request.Spec.Suspend; room == nil || request.Queue != "" || suspend != nil && *suspend {
		return nil
	}
	p := place{request.Execution.Namespace, name}
	before := s.place
	if before != nil && before.place != p {
		s.leaveRoom()
		before = nil
	}
	began := time.Now()
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	holds := s.pausePlan(end)
	a, err := room.enter(ctx, p, s.noticeQueued)
	resumed := s.resumePlan(holds)
	if err != nil {
		return err
	}
	if s.place = a; before != nil {
		room.leave(before)
	}
	s.queued += time.Since(began)
	if !resumed {
		s.leaveRoom()
		return errPlanAgain
	}
	return nil
}

// leaveRoom is called when the step has no create under way, and no Job that counts.
func (s *Step) leaveRoom() {
	if s.place != nil {
		s.engine.Room.leave(s.place)
		s.place = nil
	}
}

// endPlace is called at the end of the step. Without a result there may be a Job.
func (s *Step) endPlace(err error) {
	exists := errors.Is(err, jobs.ErrMayExist) || s.wait != nil && s.wait.uid != "" && !errors.Is(err, jobs.ErrJobDeleted)
	if err != nil && exists && s.place != nil {
		s.engine.Room.abandon(s.place)
		s.place = nil
	}
	s.leaveRoom()
}
