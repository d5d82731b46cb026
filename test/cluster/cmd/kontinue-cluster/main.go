// Command kontinue-cluster builds, starts and stops a real Kubernetes cluster on this
// machine, for experiments with kubectl.
//
//	kontinue-cluster build
//	kontinue-cluster up [-name NAME] [-control-plane-only] [-audit]
//	kontinue-cluster down [-name NAME]
//
// build compiles and installs what is missing. up does that too, starts a cluster in
// the background and prints the path of its kubeconfig. down stops it, and removes
// the remains of clusters that crashed. KONTINUE_CLUSTER_VERSION is the version of
// Kubernetes, such as v1.35.4.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/kontinue/kontinue/test/cluster"
)

// These limits leave room for a busy machine.
const (
	startLimit = 3 * time.Minute
	stopLimit  = time.Minute
)

const defaultName = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "kontinue-cluster:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: kontinue-cluster build | up [-name NAME] [-control-plane-only] [-audit] | down [-name NAME]")

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	command, args := args[0], args[1:]
	flags := flag.NewFlagSet(command, flag.ContinueOnError)
	var options cluster.Options
	flags.StringVar(&options.Name, "name", defaultName, "name of the cluster")
	if command == "up" || command == serveCommand {
		flags.BoolVar(&options.ControlPlaneOnly, "control-plane-only", false, "run no node")
		flags.BoolVar(&options.Audit, "audit", false, "write an audit log")
	}
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; %w", flags.Arg(0), errUsage)
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil))
	switch command {
	case "build":
		_, err := cluster.Build(ctx, logger)
		return err
	case "up":
		if _, err := cluster.Build(ctx, logger); err != nil {
			return err
		}
		return up(ctx, args, os.Stdout)
	case serveCommand:
		return serve(ctx, options)
	case "down":
		ctx, cancel := context.WithTimeout(ctx, stopLimit)
		defer cancel()
		return cluster.Down(ctx, "", options.Name)
	}
	return errUsage
}
