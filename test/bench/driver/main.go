// Command driver compares ways to wait for Jobs on a real control plane, and
// writes tables and a plot to docs/benchmarks.
//
//	go run ./driver [-runs 5] [-n 100,1000,10000] [-styles kontinue,...] [-record]
//	go run ./driver -only node [-runs 5] [-chain 16] [-latency 50] [-record]
//	go run ./driver -only telemetry [-runs 20] -out ""
//
// It needs root, and the programs of package cluster must have been built.
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

// The values of -only.
const (
	onlyNode      = "node"
	onlyWaits     = "waits"
	onlyTelemetry = "telemetry"
)

func run(ctx context.Context) error {
	options := bench.Options{Progress: os.Stderr}
	flag.IntVar(&options.Runs, "runs", 5, "runs of each style at each N")
	waits := flag.String("n", "100,1000,10000", "numbers of concurrent waits")
	styles := flag.String("styles", "", "styles, separated by commas (default all of "+strings.Join(bench.AllStyles, ",")+")")
	flag.IntVar(&options.Pace, "pace", 25, "jobs of a sample that end per second, at most")
	flag.IntVar(&options.Launch, "launch", 10000, "steps to launch at once; 0: skip this experiment")
	flag.IntVar(&options.Finish, "finish", 2000, "steps to finish, to measure what is kept of them; 0: skip this experiment")
	flag.IntVar(&options.Foreign, "foreign", 50000, "unrelated pods in the namespace; 0: skip this experiment")
	flag.IntVar(&options.Telemetry, "telemetry", 400, "waits of each process that measure what metrics and traces cost; 0: skip this experiment")
	flag.IntVar(&options.Chain, "chain", 16, "scripts to run one after another on a node; 0: skip this experiment")
	flag.IntVar(&options.Latency, "latency", 50, "scripts at a time on a node, to measure the latency of results; 0: skip this experiment")
	only := flag.String("only", "", "run only one part: "+onlyNode+" (-chain, -latency), "+onlyTelemetry+" or "+onlyWaits+" (the rest)")
	flag.StringVar(&options.Profile, "profile", "", "directory for CPU and heap profiles of the workers")
	flag.StringVar(&options.LogDir, "logs", "", "directory for the log files of the control plane")
	out := flag.String("out", "../../docs/benchmarks", "directory for the tables and the plot; empty: only print the tables")
	save := flag.String("save", "", "also write all measurements to this file, for -from")
	from := flag.String("from", "", "measure nothing: render the tables from a file written by -save")
	record := flag.Bool("record", false, "also write figures.txt, for benchstat")
	flag.Parse()
	for text := range strings.SplitSeq(*waits, ",") {
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("-n: %w", err)
		}
		options.Waits = append(options.Waits, n)
	}
	switch *only {
	case onlyNode:
		options.Waits, options.Launch, options.Finish, options.Foreign, options.Telemetry = []int{}, 0, 0, 0, 0
	case onlyTelemetry:
		options.Waits, options.Launch, options.Finish, options.Foreign, options.Chain, options.Latency = []int{}, 0, 0, 0, 0, 0
	case onlyWaits:
		options.Chain, options.Latency = 0, 0
	case "":
	default:
		return fmt.Errorf("-only %q: use %s, %s or %s", *only, onlyNode, onlyTelemetry, onlyWaits)
	}
	if *styles != "" {
		options.Styles = strings.Split(*styles, ",")
	}
	options.Command = "go run ./driver"
	flag.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "out", "save", "from", "profile", "logs": // where the output goes, not what is measured
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
	// Report what was measured before a failure, too.
	fmt.Print(report.ChainMarkdown(), report.Markdown())
	if *save != "" {
		err = errors.Join(err, report.Save(*save))
	}
	if *out != "" && err == nil {
		err = report.Write(*out, *record)
	}
	return err
}
