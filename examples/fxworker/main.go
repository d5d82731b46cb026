package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"go.uber.org/fx"
)

func main() {
	opts, err := parse(os.Args[1:], os.Stderr)
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	// Run starts the app, waits for SIGINT, SIGTERM or the worker's Shutdown, and
	// stops it within StopTimeout.
	fx.New(app(opts, logger), fx.Provide(openCluster)).Run()
}

// options are the program's flags.
type options struct {
	cluster    clusterFlags
	image      string
	executions int
	workers    int
	step       time.Duration
	ttl        time.Duration
	keep       bool
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("fxworker", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o.cluster.add(flags)
	flags.StringVar(&o.image, "image", "busybox", "`image` that the scripts run in, with a /bin/sh; not used in memory")
	flags.IntVar(&o.executions, "executions", 5, "how many Executions to put into the queue")
	flags.IntVar(&o.workers, "workers", 3, "how many Executions run at a time")
	flags.DurationVar(&o.step, "step", time.Second, "how long each step takes, in whole seconds")
	flags.DurationVar(&o.ttl, "ttl", time.Minute, "how long the Jobs of an ended Execution stay")
	flags.BoolVar(&o.keep, "keep", false, "keep running until SIGTERM when the queue is empty")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.executions < 0 || o.workers < 1 || o.step < 0 || o.ttl < 0:
		err = errors.New("-executions, -step and -ttl must not be negative, and -workers must be at least 1")
	}
	if err != nil {
		fmt.Fprintln(stderr, "fxworker:", err)
	}
	return o, err
}
