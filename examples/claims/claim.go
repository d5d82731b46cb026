package main

import "context"

// claim makes this process the one that runs the Execution. Of several that try, one
// succeeds: the others get a conflict. If an earlier process still has the Execution, from
// here on its writes get one too.
func (w *worker) claim(ctx context.Context, e *execution) error {
	if e.worker != "" {
		e.resumptions++ // an earlier process began to run it
	}
	e.worker = w.lease.name()
	return w.store.save(ctx, e)
}
