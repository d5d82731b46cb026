// Command driver kills workers by the hundreds on a real control plane, and
// prints what became of their steps. It exits with 1 if one ran twice, was lost
// or gave a wrong result.
//
//	go run ./driver [-kills 300] [-seed 1] [-parallel 6] [-reattach 10000]
//
// It needs root and, at first, the programs of package cluster.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kontinue/kontinue/test/durability"
)

func main() {
	if code, is := durability.Worker(); is {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	failed, err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context) (failed bool, err error) {
	options := durability.Options{Progress: os.Stderr}
	flag.Uint64Var(&options.Seed, "seed", 1, "seed of the kills")
	flag.IntVar(&options.Kills, "kills", 300, "workers to kill")
	flag.IntVar(&options.Parallel, "parallel", 6, "Executions at a time")
	flag.DurationVar(&options.Pace, "pace", 0, "how long a pod is pending, and then runs, at most (default 1s)")
	flag.IntVar(&options.Reattach, "reattach", 0, "measure how long it takes to attach again to so many finished steps")
	flag.StringVar(&options.LogDir, "logs", "", "directory in which the log files of the control plane stay")
	flag.Parse()
	report, err := durability.Run(ctx, options)
	if err != nil {
		return true, err
	}
	report.Print(os.Stdout)
	return report.Failed(), nil
}
