package scenarios

import (
	"context"
	"errors"
	"fmt"

	"github.com/kontinue/kontinue"
)

// resume runs the step again in another worker, as after a crash. It must get the same
// result from the record.
func (r *Run) resume(ctx context.Context) error {
	return r.inWorker(ctx, func(client *kontinue.Client) error { return r.again(ctx, client) })
}

// inWorker calls do with the started client of another worker.
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

// again resumes the step with a client and compares the results.
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
		return fmt.Errorf("resume the step: %w", err)
	}
	second := newResult(job, pod)
	if !second.resumed {
		return errors.New("the resumed step did not find the Job of the first run")
	}
	if second.text() != first.text() {
		return fmt.Errorf("the resumed step has another result:\n%s\nthe first one was:\n%s", second.text(), first.text())
	}
	return nil
}
