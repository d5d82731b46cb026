package simulate

import (
	"fmt"
	"time"
)

// event waits until it is time, carries out the event, and undoes it when it ends.
func (w *world) event(e *Event) {
	if !w.before(e.At) {
		return
	}
	w.history.note(e.String())
	undo := w.network(e)
	if undo == nil {
		var err error
		if undo, err = w.act(e); err != nil {
			w.history.note(fmt.Sprintf("%s: %v", e.Kind, err))
		}
	}
	if undo == nil {
		return
	}
	defer undo()
	w.before(e.At + e.For)
}

// before waits until the time of the plan. It reports whether that was before the end of
// the faults.
func (w *world) before(at time.Duration) bool {
	timer := time.NewTimer(time.Until(w.history.Begin.Add(at)))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-w.calm:
		return false
	case <-w.ctx.Done():
		return false
	}
}
