// Command driver compares ways to wait for Jobs on a real control plane, and
// leaves tables and a plot in docs/benchmarks.
//
//	go run ./driver [-runs 5] [-n 100,1000,10000] [-styles kontinue,...] [-record]
//
// It needs root and, at first, the programs of package cluster.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"

	"github.com/kontinue/kontinue/test/bench"
)

func main() {
	if bench.Worker() {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "driver:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	options := bench.Options{Progress: os.Stderr}
	flag.IntVar(&options.Runs, "runs", 5, "runs of each style at each N")
	waits := flag.String("n", "100,1000,10000", "numbers of concurrent waits")
	styles := flag.String("styles", "", "styles, by comma (default all of "+strings.Join(bench.AllStyles, ",")+")")
	flag.IntVar(&options.Pace, "pace", 25, "jobs of a sample that end a second, at most")
	flag.IntVar(&options.Launch, "launch", 10000, "steps that are launched at once; 0: leave it out")
	flag.IntVar(&options.Finish, "finish", 2000, "steps that end, for what is kept of them; 0: leave it out")
	flag.IntVar(&options.Foreign, "foreign", 50000, "pods of others; 0: leave it out")
	flag.StringVar(&options.Profile, "profile", "", "directory for CPU and heap profiles of the workers")
	flag.StringVar(&options.LogDir, "logs", "", "directory in which the log files of the control plane stay")
	out := flag.String("out", "../../docs/benchmarks", "directory for the tables and the plot; empty: print the tables only")
	save := flag.String("save", "", "also leave all measurements in this file, for -from")
	from := flag.String("from", "", "measure nothing: make the tables from a file of -save")
	record := flag.Bool("record", false, "also write figures.txt, for benchstat")
	flag.Parse()
	for text := range strings.SplitSeq(*waits, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-n: %w", err)
		}
		options.Waits = append(options.Waits, n)
	}
	if *styles != "" {
		options.Styles = strings.Split(*styles, ",")
	}
	options.Command = "go run ./driver"
	flag.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "out", "save", "from", "profile", "logs": // they say where, not what
		default:
			options.Command += " -" + f.Name + "=" + f.Value.String()
		}
	})
	var report *bench.Report
	var err error
	if *from != "" {
		report, err = bench.Load(*from)
	} else {
		report, err = bench.Run(ctx, options)
	}
	if report == nil {
		return err
	}
	// What was measured before a failure counts too.
	fmt.Print(report.Markdown())
	if *save != "" {
		err = errors.Join(err, report.Save(*save))
	}
	if *out != "" && err == nil {
		err = report.Write(*out, *record)
	}
	return err
}
