package simulate

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Totals sums up what happened in several histories. The zero value is ready to use, and
// its methods are safe for concurrent use.
type Totals struct {
	mu                             sync.Mutex
	plans, steps, calls, processes int
	writes                         int // of Jobs and pods
	events                         map[EventKind]int
}

// Add adds a history.
func (t *Totals) Add(h *History) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.plans++
	t.steps += h.Plan.Steps()
	t.processes += len(h.Plan.Processes)
	t.calls += len(h.calls)
	t.writes += len(h.writes)
	if t.events == nil {
		t.events = map[EventKind]int{}
	}
	for _, e := range h.Plan.Events {
		if e.At < h.Plan.Calm { // or it does not happen
			t.events[e.Kind]++
		}
	}
}

// String returns the sums, the events in the order of their frequency.
func (t *Totals) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	kinds := slices.SortedFunc(maps.Keys(t.events), func(a, b EventKind) int {
		return cmp.Or(cmp.Compare(t.events[b], t.events[a]), cmp.Compare(a, b))
	})
	s := fmt.Sprintf("%d plans: %d steps, %d processes, %d calls, %d writes of Jobs and pods", t.plans, t.steps, t.processes, t.calls, t.writes)
	for _, kind := range kinds {
		s += fmt.Sprintf("; %s %d", kind, t.events[kind])
	}
	return s
}
