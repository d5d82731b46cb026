package bench

import (
	"context"
	"fmt"
	"sync"

	"github.com/kontinue/kontinue"
)

// resumeFinished resumes all steps of an Execution whose Jobs are recorded, and returns
// when it has all results.
func resumeFinished(ctx context.Context, w *waiter) error {
	client, err := w.connect(ctx, kontinue.Config{})
	if err != nil {
		return err
	}
	ktx, err := client.NewExecutionContext(ctx, resumed(w.owner))
	if err != nil {
		return err
	}
	failed := make(chan error, 1)
	spec := new(podSpec())
	var all sync.WaitGroup
	for i := range w.targets {
		all.Go(func() {
			r, err := kontinue.RunPod(ktx, podOptions(i, spec))
			if err == nil && (!r.Succeeded() || !r.Resumed() || len(r.Drift()) > 0) {
				err = fmt.Errorf("step %s: %s, resumed %v, drift %v", stepName(i), r.Message, r.Resumed(), r.Drift())
			}
			if err != nil {
				fail(failed, err)
			}
		})
	}
	all.Wait()
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}
