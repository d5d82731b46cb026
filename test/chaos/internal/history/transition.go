package history

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"
)

// Transition is a change in the state of a step's Job or pods.
type Transition string

// The transitions of a step, in order.
const (
	Created  Transition = "created"  // the Job exists
	Pending  Transition = "pending"  // a pod of it exists
	Running  Transition = "running"  // a pod of it is running
	Ended    Transition = "ended"    // the Job is terminal
	Recorded Transition = "recorded" // the outcome is recorded on the Job
)

// Trigger calls Fire at the N-th transition of a kind in an Execution. Fire must
// not block.
type Trigger struct {
	Execution  types.UID
	Transition Transition
	N          int
	Fire       func()
}

// On sets a trigger; cancel removes it.
func (h *History) On(t Trigger) (cancel func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.triggers[&t] = true
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.triggers, &t)
	}
}

// reached fires the triggers that wait for a transition. The caller holds the lock.
func (h *History) reached(execution types.UID, transition Transition) {
	for t := range maps.Clone(h.triggers) {
		if t.Execution != execution || t.Transition != transition {
			continue
		}
		if t.N--; t.N == 0 {
			delete(h.triggers, t)
			t.Fire()
		}
	}
}
