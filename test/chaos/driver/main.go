// Command driver injects failures while steps run, and reports what happened to the
// steps. It exits with 1 if a result or a line of a log was lost, duplicated or wrong.
//
//	go run ./driver kill [-kills 300] [-seed 1] [-parallel 6] [-overlap 2] [-reattach 10000]
//	go run ./driver storm [-seeds 100] [-seed 1] [-parallel 6] [-steps 40]
//	go run ./driver follow [-lines 1000000] [-cuts 200] [-kills 3] [-rate 5000]
//
// kill kills worker processes by the hundreds; in one of -overlap Executions while two
// or three attempts run at once. storm breaks the network between
// client and API server; storm -seed N -seeds 1 repeats the storm of one seed. Both
// need a real control plane: root and the programs of package cluster. follow kills workers
// that write the log of a step, and cuts their log streams, on the cluster in memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/kontinue/kontinue/test/chaos/follow"
	"github.com/kontinue/kontinue/test/chaos/kill"
	"github.com/kontinue/kontinue/test/chaos/storm"
)

// report is what each command prints.
type report interface {
	Failed() bool
	Print(io.Writer)
}

var commands = map[string]func(context.Context, *flag.FlagSet, []string) (report, error){
	"kill": runKill, "storm": runStorm, "follow": runFollow,
}

func main() {
	for _, worker := range []func() (int, bool){kill.Worker, follow.Worker} {
		if code, is := worker(); is {
			os.Exit(code)
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	failed, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
	}
	if failed || err != nil {
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) (failed bool, err error) {
	if len(args) == 0 || commands[args[0]] == nil {
		return false, errors.New("usage: driver kill|storm|follow [flags]")
	}
	r, err := commands[args[0]](ctx, flag.NewFlagSet(args[0], flag.ExitOnError), args[1:])
	if err != nil {
		return false, err
	}
	r.Print(os.Stdout)
	return r.Failed(), nil
}

const logsUsage = "directory for the log files of the control plane"

func runKill(ctx context.Context, flags *flag.FlagSet, args []string) (report, error) {
	o := kill.Options{Progress: os.Stderr}
	flags.Uint64Var(&o.Seed, "seed", 1, "seed of the kills")
	flags.IntVar(&o.Kills, "kills", 300, "workers to kill")
	flags.IntVar(&o.Parallel, "parallel", 6, "Executions that run at a time")
	flags.IntVar(&o.Overlap, "overlap", 2, "one in this many Executions has two or three attempts at once; negative: none")
	flags.DurationVar(&o.Pace, "pace", 0, "maximum time that a pod is pending, and then running (default 1s)")
	flags.IntVar(&o.Reattach, "reattach", 0, "measure how long a new worker takes to return the results of this many finished steps")
	flags.StringVar(&o.LogDir, "logs", "", logsUsage)
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	return kill.Run(ctx, o)
}

func runStorm(ctx context.Context, flags *flag.FlagSet, args []string) (report, error) {
	o := storm.Options{Progress: os.Stderr}
	flags.Uint64Var(&o.First, "seed", 1, "the first seed")
	flags.IntVar(&o.Seeds, "seeds", 100, "number of seeds")
	flags.IntVar(&o.Parallel, "parallel", 0, "seeds at a time (default 6)")
	flags.IntVar(&o.Steps, "steps", 0, "concurrent steps of a seed (default 40)")
	flags.StringVar(&o.LogDir, "logs", "", logsUsage)
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	if err := storm.ShortPings(); err != nil {
		return nil, err
	}
	return storm.Run(ctx, o)
}

func runFollow(ctx context.Context, flags *flag.FlagSet, args []string) (report, error) {
	o := follow.Options{Progress: os.Stderr}
	flags.IntVar(&o.Lines, "lines", 0, "lines of the log (default 1000000)")
	flags.IntVar(&o.Cuts, "cuts", 0, "log streams to cut (default: one for 5,000 lines)")
	flags.IntVar(&o.Kills, "kills", 0, "workers to kill (default 3)")
	flags.IntVar(&o.Rate, "rate", 0, "lines that the container writes in a second (default 5000)")
	flags.StringVar(&o.Dir, "dir", "", "existing directory for the files of the workers (default: they are removed)")
	if err := parse(flags, args); err != nil {
		return nil, err
	}
	return follow.Run(ctx, o)
}

func parse(flags *flag.FlagSet, args []string) error {
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return nil
}
