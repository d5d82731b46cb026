// Command driver lets storms of network faults loose on kontinue, on a real
// control plane, and prints what its waits returned. It exits with 1 if a result
// was lost, came twice or was wrong.
//
//	go run ./driver [-seeds 100] [-seed 1] [-parallel 6] [-steps 40]
//
// -seed N -seeds 1 repeats the storm of a seed that failed. It needs root and, at
// first, the programs of package cluster.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kontinue/kontinue/test/faults"
)

func main() {
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
	// By default client-go takes 45 s to notice a half-open connection.
	for _, name := range []string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS", "HTTP2_PING_TIMEOUT_SECONDS"} {
		if os.Getenv(name) == "" {
			if err := os.Setenv(name, "2"); err != nil {
				return true, err
			}
		}
	}
	options := faults.Options{Progress: os.Stderr}
	flag.Uint64Var(&options.First, "seed", 1, "the first seed")
	flag.IntVar(&options.Seeds, "seeds", 100, "how many seeds")
	flag.IntVar(&options.Parallel, "parallel", 0, "seeds at a time (default 6)")
	flag.IntVar(&options.Steps, "steps", 0, "steps of a seed, all at once (default 40)")
	flag.StringVar(&options.LogDir, "logs", "", "directory in which the log files of the control plane stay")
	flag.Parse()
	report, err := faults.Run(ctx, options)
	if err != nil {
		return true, err
	}
	report.Print(os.Stdout)
	return report.Failed(), nil
}
