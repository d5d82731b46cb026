package faults

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/scenarios"
	"github.com/kontinue/kontinue/test/cluster"
)

// Options configure [Run]. The zero value of each field is its default.
type Options struct {
	// First is the first seed. Default: 1.
	First uint64
	// Seeds is how many are taken. Default: 1.
	Seeds int
	// Parallel is how many seeds are under way at a time. Default: 6.
	Parallel int
	// Steps is how many steps a seed has, all at once. Default: 40.
	Steps int
	// LogDir is where the log files of the control plane stay. Default: they go.
	LogDir string
	// Progress is where a line is written for each seed. Default: nowhere.
	Progress io.Writer
}

const (
	// startLimit and stopLimit are generous enough for a busy machine.
	startLimit = 5 * time.Minute
	stopLimit  = time.Minute
	// roleFile is seen from this module's directory, in which its programs run.
	roleFile = "../../deploy/rbac.yaml"
	// stepLimit is when a step that has not come to its end is lost. The library
	// retries a write for two minutes.
	stepLimit = 3 * time.Minute
)

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

// runner is one Run.
type runner struct {
	Options
	cluster *cluster.Cluster
	client  kubernetes.Interface
	history *history
	kubelet *kubelet

	mu     sync.Mutex
	report *Report
}

// Run does what the package comment says. The error is of Run itself; what went
// wrong with the steps is in the report. HTTP2_READ_IDLE_TIMEOUT_SECONDS and
// HTTP2_PING_TIMEOUT_SECONDS of the process say how soon client-go takes notice of
// a half-open connection.
func Run(ctx context.Context, options Options) (_ *Report, err error) {
	o := options.complete()
	start, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := cluster.Start(start, cluster.Options{ControlPlaneOnly: true, LogDir: o.LogDir, Logger: slog.New(slog.NewTextHandler(o.Progress, nil))})
	if err != nil {
		return nil, err
	}
	defer func() {
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, c.Stop(stop))
	}()
	client, err := kubernetes.NewForConfig(c.RESTConfig(cluster.Admin))
	if err != nil {
		return nil, err
	}
	if err := grant(start, c); err != nil {
		return nil, err
	}
	playing, stopPlaying := context.WithCancel(context.WithoutCancel(ctx))
	k := newKubelet(playing, client)
	defer k.wait.Wait()
	defer stopPlaying()
	h, err := watchHistory(ctx, client, k.pod)
	if err != nil {
		return nil, err
	}
	defer h.close()
	r := &runner{Options: o, cluster: c, client: client, history: h, kubelet: k, report: newReport(o, c.Version())}
	if err := r.all(ctx); err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return r.report, h.failure
}

// grant gives the workers the rights of deploy/rbac.yaml in every namespace.
func grant(ctx context.Context, c *cluster.Cluster) error {
	role, err := scenarios.LoadRole(roleFile)
	if err != nil {
		return err
	}
	return c.Grant(ctx, cluster.Worker, role.Rules)
}

// all runs the seeds, several at a time.
func (r *runner) all(ctx context.Context) error {
	began := time.Now()
	seeds := make(chan uint64, r.Seeds)
	for n := range r.Seeds {
		seeds <- r.First + uint64(n)
	}
	close(seeds)
	errs := make([]error, r.Parallel)
	var wait sync.WaitGroup
	for i := range errs {
		wait.Go(func() {
			for number := range seeds {
				if errs[i] = r.seed(ctx, number); errs[i] != nil {
					errs[i] = fmt.Errorf("seed %d: %w", number, errs[i])
					return
				}
			}
		})
	}
	wait.Wait()
	err := errors.Join(errs...)
	r.report.Took = time.Since(began)
	select {
	case played := <-r.kubelet.errs:
		err = errors.Join(err, fmt.Errorf("playing the kubelet: %w", played))
	default:
	}
	return err
}
