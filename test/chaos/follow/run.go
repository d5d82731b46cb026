package follow

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/kubelet"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
)

// Options configure [Run]. The zero value of each field is its default.
type Options struct {
	// Lines is the number of lines that the container writes. Default: 1,000,000.
	Lines int
	// Rate is the number of lines that it writes in a second. Default: 5,000.
	Rate int
	// Cuts is the number of log streams to cut. Default: one for 5,000 lines.
	Cuts int
	// Kills is the number of workers to kill with SIGKILL. Default: 3.
	Kills int
	// Dir is the directory for the files of the workers. Default: they are removed.
	Dir string
	// Progress receives a line from time to time. Default: none.
	Progress io.Writer
}

const (
	namespace = "follow"
	// startLimit bounds what a run takes beyond the time in which the lines are written
	// three times. It leaves room for a busy machine.
	startLimit = 5 * time.Minute
)

func (o Options) complete() (Options, error) {
	if o.Lines < 0 || o.Rate < 0 || o.Cuts < 0 || o.Kills < 0 {
		return o, errors.New("follow: lines, rate, cuts and kills must not be negative")
	}
	o.Lines = cmp.Or(o.Lines, 1_000_000)
	o.Rate = cmp.Or(o.Rate, 5000)
	o.Cuts = cmp.Or(o.Cuts, o.Lines/5000)
	o.Kills = cmp.Or(o.Kills, 3)
	if o.Cuts+o.Kills >= o.Lines {
		return o, fmt.Errorf("follow: %d lines are too few for %d cuts and %d kills", o.Lines, o.Cuts, o.Kills)
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o, nil
}

// runner is the state of one Run.
type runner struct {
	Options
	cluster *fakecluster.Cluster
	breaks  *breaks
	order   order // of the first worker
	report  *Report
}

// Run runs and kills workers, as described in the package comment. An error means that
// Run itself failed; the report says what went wrong with the lines.
func Run(ctx context.Context, options Options) (*Report, error) {
	o, err := options.complete()
	if err != nil {
		return nil, err
	}
	if o.Dir == "" {
		if o.Dir, err = os.MkdirTemp("", "kontinue-follow-"); err != nil {
			return nil, err
		}
		defer func() { _ = os.RemoveAll(o.Dir) }()
	}
	limit := startLimit + 3*time.Duration(o.Lines/o.Rate)*time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("follow: not done in %s", limit))
	defer cancel()
	cluster := fakecluster.New(fakecluster.Options{
		Kubelet: kubelet.Options{LogLimit: int(size(o.Lines))}, // nothing is rotated away
		Delays:  fakecluster.RealDelays(),
	})
	if err := cluster.Start(ctx); err != nil {
		return nil, err
	}
	defer cluster.Stop()
	b := &breaks{next: cluster.APIServer(), planned: plan(o.Lines, o.Cuts, o.Kills)}
	cluster.On(containers.Match{}, containers.Script{Do: o.writeLines})
	server := httptest.NewServer(b)
	defer server.Close()
	defer server.CloseClientConnections()
	owner, err := cluster.CreateOwner(ctx, namespace, "release")
	if err != nil {
		return nil, err
	}
	r := &runner{
		Options: o, cluster: cluster, breaks: b,
		order:  order{Host: server.URL, Execution: kontinue.Execution{Owner: owner}},
		report: &Report{Lines: o.Lines, Rate: o.Rate, Findings: &report.Findings{}},
	}
	return r.report, r.all(ctx)
}

// all runs a worker after the other: all but the last one are killed.
func (r *runner) all(ctx context.Context) error {
	start := time.Now()
	for n := range r.Kills + 1 {
		o := r.order
		o.Execution.Resumptions = n
		o.File = filepath.Join(r.Dir, fmt.Sprintf("worker-%d.log", n+1))
		result, err := r.worker(ctx, o)
		if err != nil {
			return fmt.Errorf("worker %d: %w", n+1, err)
		}
		last := n == r.Kills
		if killed := result == nil; killed == last {
			return fmt.Errorf("worker %d: killed: %t, want %t", n+1, killed, !last)
		}
		if err := r.check(n+1, o.File, result); err != nil {
			return err
		}
	}
	r.report.Took = time.Since(start)
	r.report.Cuts = r.breaks.cuts()
	if r.report.Cuts != r.Cuts {
		return fmt.Errorf("follow: %d of %d cuts took place", r.report.Cuts, r.Cuts)
	}
	return r.checkObjects(ctx)
}

// checkObjects checks that the step had one Job and one pod.
func (r *runner) checkObjects(ctx context.Context) error {
	client := r.cluster.APIServer().ClientsetAs("admin")
	jobs, err := client.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return err
	}
	if len(jobs.Items) != 1 || len(pods.Items) != 1 {
		r.report.Findings.Addf(report.Duplicate, "the step had %d jobs and %d pods", len(jobs.Items), len(pods.Items))
	}
	return nil
}
