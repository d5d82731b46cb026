package scenarios

import (
	"context"
	"errors"
	"fmt"

	"github.com/kontinue/kontinue"
)

// resume calls the step once more in another worker, as after a crash: it must
// get the same result from the record.
func (r *Run) resume(ctx context.Context) error {
	return r.inWorker(ctx, func(client *kontinue.Client) error { return r.again(ctx, client) })
}

// inWorker does something in another worker.
func (r *Run) inWorker(ctx context.Context, do func(*kontinue.Client) error) (err error) {
	client, err := kontinue.New(r.config)
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop(context.Background())) }()
	return do(client)
}

// again calls the step once more and compares the results.
func (r *Run) again(ctx context.Context, client *kontinue.Client) error {
	first := r.result()
	execution := r.Context.Execution()
	execution.Resumptions++
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		return err
	}
	job, pod, err := r.call(ktx)
	if err != nil {
		return fmt.Errorf("a resume failed: %w", err)
	}
	second := newResult(job, pod)
	if !second.resumed {
		return errors.New("a resume did not find the Job of the first run")
	}
	if second.text() != first.text() {
		return fmt.Errorf("a resume gave another result:\n%s\nthe first one was:\n%s", second.text(), first.text())
	}
	return nil
}
