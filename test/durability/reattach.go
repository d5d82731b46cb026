package durability

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
)

// Reattach is how long a new worker takes to have the results of steps that have
// ended, against one LIST of the same Jobs and one of their pods, without
// anything else, in the same process.
type Reattach struct {
	Steps int
	// Start is that of the client, Results from there until the last result.
	Start, Results time.Duration
	// List is the time of the two LISTs, one after the other.
	List time.Duration
}

// String compares the two.
func (r *Reattach) String() string {
	all := r.Start + r.Results
	return fmt.Sprintf("%d steps in %s (start %s, results %s); LIST of the same jobs and pods %s; ratio %.2f",
		r.Steps, all.Round(time.Millisecond), r.Start.Round(time.Millisecond), r.Results.Round(time.Millisecond),
		r.List.Round(time.Millisecond), all.Seconds()/r.List.Seconds())
}

// reattach runs that many steps in one worker, and again in another.
func (r *runner) reattach(ctx context.Context) (*Reattach, error) {
	owner, err := r.client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "reattach"},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("create execution: %w", err)
	}
	r.kubelet.mu.Lock()
	r.kubelet.pace = 0
	r.kubelet.mu.Unlock()
	o := order{Kubeconfig: r.kubeconfig, Namespace: namespace, Steps: r.Options.Reattach, Execution: kontinue.Execution{
		Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID},
	}}
	var measured Reattach
	for range 2 {
		l := live(ctx, r.history, o, plan{})
		if l.err != nil {
			return nil, fmt.Errorf("re-attach: %w", l.err)
		}
		if len(l.seen) != 1 || l.seen[0].Reattach == nil {
			return nil, fmt.Errorf("re-attach: the worker printed %+v", l.seen)
		}
		measured = *l.seen[0].Reattach
		fmt.Fprintf(r.Progress, "%s\n", &measured)
	}
	if n := len(r.history.of(owner.UID)); n != o.Steps {
		return nil, fmt.Errorf("re-attach: %d steps had %d jobs", o.Steps, n)
	}
	return &measured, nil
}

// reattach is that worker's function.
func (o *order) reattach(ctx context.Context, ktx *kontinue.ExecutionContext, config *rest.Config, start time.Duration) error {
	measured := &Reattach{Steps: o.Steps, Start: start}
	began := time.Now()
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
	measured.Results = time.Since(began)
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
	selector := metav1.ListOptions{LabelSelector: executionLabel + "=" + string(o.Execution.Owner.UID)}
	began = time.Now()
	if _, err := client.BatchV1().Jobs(o.Namespace).List(ctx, selector); err != nil {
		return err
	}
	if _, err := client.CoreV1().Pods(o.Namespace).List(ctx, selector); err != nil {
		return err
	}
	measured.List = time.Since(began)
	tell(Seen{Reattach: measured})
	return nil
}
