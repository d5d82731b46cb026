// Kueue runs a step that waits in a queue of Kueue, is admitted, evicted and admitted again.
//
//	go run .
//
// The cluster is in memory, and Kueue is played: see played.go.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/devcluster"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := demo(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// demo trains once.
func demo(ctx context.Context) (err error) {
	cluster, err := devcluster.Start(ctx, devcluster.Options{Kinds: kinds})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	progress := make(chan kontinue.Progress, 100)
	client, err := kontinue.New(kontinue.Config{
		RESTConfig: cluster.RESTConfig(), Namespace: "default", Group: "kueue",
		OnProgress: func(p kontinue.Progress) { progress <- p },
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop(ctx)) }()
	execution, err := cluster.NewExecution(ctx, "default", "model-42")
	if err != nil {
		return err
	}
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		return err
	}
	k, err := newKueue(cluster.RESTConfig(), "default")
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- train(ktx, "gpu") }()

	held, evicted := false, false
	for {
		select {
		case p := <-progress:
			fmt.Printf("%6s  step %s: %s %s %s\n", p.Elapsed.Round(100*time.Millisecond), p.Step, p.State, p.Reason, p.Message)
			job := &cluster.Jobs(execution)[0]
			switch {
			case p.State == kontinue.StepSuspended && !held:
				held = true
				err = hold(ctx, k, job)
			case p.State == kontinue.StepRunning && !evicted:
				held, evicted = false, true
				fmt.Println("        Kueue evicts the Job")
				err = k.evict(ctx, job, "preempted to accommodate a workload with higher priority")
			}
			if err != nil {
				return err
			}
		case err := <-ended:
			return err
		}
	}
}

// hold lets the Job wait for a second.
func hold(ctx context.Context, k *kueue, job *batchv1.Job) error {
	if err := k.hold(ctx, job, "insufficient unused quota for cpu in flavor default, 1 more needed"); err != nil {
		return err
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	fmt.Println("        Kueue admits the Job")
	return k.admit(ctx, job)
}
