package kill

import (
	"context"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/history"
)

// Reattach compares the time that a new worker takes to return the results of
// finished steps with one LIST of the same Jobs and one of their pods in the same
// process.
type Reattach struct {
	Steps int
	// Start is the time that the client takes to start, and Results the time from then
	// until the last result.
	Start, Results time.Duration
	// List is the total time of the two LISTs.
	List time.Duration
}

// String describes the comparison.
func (r *Reattach) String() string {
	all := r.Start + r.Results
	return fmt.Sprintf("%d steps in %s (start %s, results %s); LIST of the same jobs and pods %s; ratio %.2f",
		r.Steps, all.Round(time.Millisecond), r.Start.Round(time.Millisecond), r.Results.Round(time.Millisecond),
		r.List.Round(time.Millisecond), all.Seconds()/r.List.Seconds())
}

// reattach runs Options.Reattach steps in one worker, and again in another.
func (r *runner) reattach(ctx context.Context) (*Reattach, error) {
	owner, err := r.createOwner(ctx, "reattach")
	if err != nil {
		return nil, err
	}
	r.pods.setPace(0)
	o := r.order(kontinue.Execution{Owner: owner})
	o.Steps = r.Options.Reattach
	var measured Reattach
	for range 2 {
		process := run(ctx, r.bed.History, o, plan{})
		if process.err != nil {
			return nil, fmt.Errorf("re-attach: %w", process.err)
		}
		if len(process.results) != 1 || process.results[0].Reattach == nil {
			return nil, fmt.Errorf("re-attach: worker printed %+v", process.results)
		}
		measured = *process.results[0].Reattach
		fmt.Fprintf(r.Progress, "%s\n", &measured)
	}
	jobs := r.bed.History.Jobs(func(j *history.Job) bool { return j.Execution == owner.UID })
	if len(jobs) != o.Steps {
		return nil, fmt.Errorf("re-attach: %d steps had %d jobs", o.Steps, len(jobs))
	}
	return &measured, nil
}

// reattach is the function that the second worker runs.
func (o *order) reattach(ctx context.Context, ktx *kontinue.ExecutionContext, config *rest.Config, started time.Duration) error {
	measured := &Reattach{Steps: o.Steps, Start: started}
	start := time.Now()
	var wg sync.WaitGroup
	errs := make(chan error, o.Steps)
	for i := range o.Steps {
		wg.Go(func() {
			r, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
				StepOptions: kontinue.StepOptions{Name: fmt.Sprintf("s%d", i)}, Image: "busybox:1", Command: "true",
			})
			if err == nil {
				err = r.Err()
			}
			if err != nil {
				errs <- err
			}
		})
	}
	wg.Wait()
	measured.Results = time.Since(start)
	select {
	case err := <-errs:
		return err
	default:
	}
	raw := rest.CopyConfig(config)
	raw.QPS = -1
	client, err := kubernetes.NewForConfig(raw)
	if err != nil {
		return err
	}
	selector := metav1.ListOptions{LabelSelector: history.LabelExecution + "=" + string(o.Execution.Owner.UID)}
	start = time.Now()
	if _, err := client.BatchV1().Jobs(o.Namespace).List(ctx, selector); err != nil {
		return err
	}
	if _, err := client.CoreV1().Pods(o.Namespace).List(ctx, selector); err != nil {
		return err
	}
	measured.List = time.Since(start)
	printResult(Result{Reattach: measured})
	return nil
}
