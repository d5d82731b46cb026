package storm

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
	"github.com/kontinue/kontinue/test/chaos/proxy"
)

// Options configure [Run]. The zero value of each field is its default.
type Options struct {
	// First is the first seed. Default: 1.
	First uint64
	// Seeds is the number of seeds to run. Default: 1.
	Seeds int
	// Parallel is the number of seeds that run at a time. Default: 6.
	Parallel int
	// Steps is the number of concurrent steps of a seed. Default: 40.
	Steps int
	// LogDir is the directory for the log files of the control plane. Default: they
	// are removed.
	LogDir string
	// Progress receives a line for each seed. Default: none.
	Progress io.Writer
}

// stepLimit bounds a step: one that has not returned by then is lost. The library
// retries a write for two minutes.
const stepLimit = 3 * time.Minute

func (o Options) complete() Options {
	o.First = cmp.Or(o.First, 1)
	o.Seeds = cmp.Or(o.Seeds, 1)
	o.Parallel = min(cmp.Or(o.Parallel, 6), o.Seeds)
	o.Steps = cmp.Or(o.Steps, 40)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// runner is the state of one Run.
type runner struct {
	Options
	bed *testbed.Testbed

	mu     sync.Mutex
	report *Report
}

// ShortPings makes client-go notice a half-open connection within seconds instead of
// its default of 45 seconds. It does not override environment variables that are set.
func ShortPings() error {
	for _, name := range []string{"HTTP2_READ_IDLE_TIMEOUT_SECONDS", "HTTP2_PING_TIMEOUT_SECONDS"} {
		if os.Getenv(name) != "" {
			continue
		}
		if err := os.Setenv(name, "2"); err != nil {
			return err
		}
	}
	return nil
}

// Run runs seeds, as described in the package comment. An error means that Run itself
// failed; the report says what went wrong with the steps. Call ShortPings first.
func Run(ctx context.Context, options Options) (_ *Report, err error) {
	o := options.complete()
	bed, err := testbed.Start(ctx, testbed.Options{Script: script, LogDir: o.LogDir, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bed.Stop()) }()
	r := &runner{Options: o, bed: bed, report: &Report{
		Version: bed.Cluster.Version(), First: o.First, Injected: map[proxy.Kind]int{}, Findings: &report.Findings{},
	}}
	if err := r.all(ctx); err != nil {
		return nil, err
	}
	return r.report, bed.Err()
}

// script returns the script of a pod, which the name of its step determines.
func script(pod *corev1.Pod, _ int) testbed.Script {
	s, ok := parseStep(pod.Labels[history.LabelStep])
	if !ok {
		return testbed.Script{ExitCode: 255, Message: "unknown step"}
	}
	return testbed.Script{Running: s.takes, ExitCode: s.code, Message: s.message()}
}

// all runs the seeds, several at a time.
func (r *runner) all(ctx context.Context) error {
	start := time.Now()
	seeds := make(chan uint64, r.Seeds)
	for n := range r.Seeds {
		seeds <- r.First + uint64(n)
	}
	close(seeds)
	errs := make([]error, r.Parallel)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			for number := range seeds {
				if err := r.seed(ctx, number); err != nil {
					errs[i] = fmt.Errorf("seed %d: %w", number, err)
					return
				}
			}
		})
	}
	wg.Wait()
	r.report.Took = time.Since(start)
	return errors.Join(errs...)
}
