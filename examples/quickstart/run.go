package main

import (
	"context"
	"errors"
	"io"

	"github.com/kontinue/kontinue"
)

// quickstart runs the pipeline as an Execution, and then once more, like a worker
// that resumes it after a crash.
func quickstart(ctx context.Context, opts options, stdout io.Writer) (err error) {
	config, where, leave, err := opts.open(ctx)
	if err != nil {
		return err
	}
	defer leave()
	owner, remove, err := createOwner(ctx, config, opts.namespace)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	screen := newScreen(stdout)
	screen.sayf("Cluster:   %s", where)
	screen.sayf("Execution: %s %s/%s", owner.Kind, opts.namespace, owner.Name)

	client, err := kontinue.New(kontinue.Config{
		RESTConfig: config, Namespace: opts.namespace, Group: "quickstart",
		OnProgress: screen.progress, Observer: &kontinue.Observer{RequestDone: screen.request},
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	err = twice(ctx, client, kontinue.Execution{Owner: owner}, opts.image, screen)
	if err = errors.Join(err, client.Stop(context.WithoutCancel(ctx))); err != nil {
		return err
	}
	return screen.bill()
}

// twice runs the pipeline, and then once more.
func twice(ctx context.Context, client *kontinue.Client, execution kontinue.Execution, image string, screen *screen) error {
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
	return nil
}

func discard(string, ...any) {}
