package step

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// retrying are the open steps that may run again, by Execution: a call that cancels an
// Execution keeps them from creating a run meanwhile.
type retrying struct {
	mu    sync.Mutex
	steps map[types.UID]map[*Step]struct{}
}

func (r *retrying) add(s *Step) {
	if s.retries == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	uid := s.execution().UID
	if r.steps == nil {
		r.steps = map[types.UID]map[*Step]struct{}{}
	}
	if r.steps[uid] == nil {
		r.steps[uid] = map[*Step]struct{}{}
	}
	r.steps[uid][s] = struct{}{}
}

func (r *retrying) remove(s *Step) {
	if s.retries == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	uid := s.execution().UID
	if delete(r.steps[uid], s); len(r.steps[uid]) == 0 {
		delete(r.steps, uid)
	}
}

// hold is Step.hold of all steps of an Execution.
func (r *retrying) hold(ctx context.Context, execution types.UID) (release func(), err error) {
	r.mu.Lock()
	var steps []*Step
	for s := range r.steps[execution] {
		steps = append(steps, s)
	}
	r.mu.Unlock()
	var releases []func()
	release = func() {
		for _, f := range releases {
			f()
		}
	}
	for _, s := range steps {
		one, err := s.hold(ctx)
		if err != nil {
			release()
			return nil, err
		}
		releases = append(releases, one)
	}
	return release, nil
}
