package main

import (
	"context"
	"errors"
	"io"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/examples/internal/playground"
)

// quickstart runs the pipeline as an Execution, and then once more, like a worker
// that resumes it after a crash.
func quickstart(ctx context.Context, options playground.Options, image string, stdout io.Writer) (err error) {
	cluster, err := playground.New(options)
	if err != nil {
		return err
	}
	defer cluster.Stop()
	if err := cluster.Start(ctx); err != nil {
		return err
	}

	// Any namespaced object can own the Jobs. They are deleted with it.
	owner, remove, err := cluster.CreateOwner(ctx, "quickstart-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	screen := newScreen(stdout)
	screen.sayf("Cluster:   %s", cluster)
	screen.sayf("Execution: %s %s/%s", owner.Kind, cluster.Namespace(), owner.Name)

	config := cluster.Config()
	config.Group = "quickstart"
	config.OnProgress = screen.progress
	client, err := kontinue.New(config)
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, client.Stop(context.WithoutCancel(ctx))) }()

	execution := kontinue.Execution{Owner: owner}
	ktx, err := client.NewExecutionContext(ctx, execution)
	if err != nil {
		return err
	}
	if err := pipeline(ktx, image, screen.sayf); err != nil { //nolint:contextcheck // ktx carries the context
		return err
	}

	screen.sayf("\nThe same function again, as after a crash of the worker:\n")
	execution.Resumptions++
	if ktx, err = client.NewExecutionContext(ctx, execution); err != nil {
		return err
	}
	if err := pipeline(ktx, image, discard); err != nil { //nolint:contextcheck // ktx carries the context
		return err
	}
	screen.sayf("    => no Job ran twice")

	return screen.bill(cluster.Requests())
}

func discard(string, ...any) {}
