package kill

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/test/chaos/internal/report"
	"github.com/kontinue/kontinue/test/chaos/internal/testbed"
	"github.com/kontinue/kontinue/test/cluster"
)

// Options configure [Run]. The zero value of each field is its default.
type Options struct {
	// Seed is the seed of the plans. Default: 1.
	Seed uint64
	// Kills is the number of workers to kill with SIGKILL. Default: 300.
	Kills int
	// Parallel is the number of Executions that run at a time. Default: 6.
	Parallel int
	// Undisturbed is the number of Executions whose worker is not killed, to count
	// their requests. Default: 4.
	Undisturbed int
	// Overlap says that one in this many Executions has two or three attempts at once;
	// none if it is negative. Default: 2.
	Overlap int
	// Pace is the maximum time that a pod is pending, and then running. Default: 1 s.
	Pace time.Duration
	// Reattach, if not 0, is the number of finished steps for which to measure the
	// time that a new worker takes to return their results.
	Reattach int
	// LogDir is the directory for the log files of the control plane. Default: they
	// are removed.
	LogDir string
	// Progress receives a line from time to time. Default: none.
	Progress io.Writer
}

const (
	namespace = "kill"
	// executionLimit is generous. An Execution that takes longer counts as lost.
	executionLimit = 10 * time.Minute
)

func (o Options) complete() Options {
	o.Seed = cmp.Or(o.Seed, 1)
	o.Kills = cmp.Or(o.Kills, 300)
	o.Parallel = cmp.Or(o.Parallel, 6)
	o.Undisturbed = cmp.Or(o.Undisturbed, 4)
	o.Overlap = cmp.Or(o.Overlap, 2)
	o.Pace = cmp.Or(o.Pace, time.Second)
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// runner is the state of one Run.
type runner struct {
	Options
	bed  *testbed.Testbed
	pods *pods

	mu         sync.Mutex
	report     *Report
	executions int
	byUID      map[types.UID]*execution
}

// Run runs and kills workers, as described in the package comment. An error means
// that Run itself failed; the report says what went wrong with the steps.
func Run(ctx context.Context, options Options) (_ *Report, err error) {
	o := options.complete()
	p := &pods{rnd: rand.New(rand.NewPCG(o.Seed, 3)), pace: o.Pace}
	bed, err := testbed.Start(ctx, testbed.Options{Script: p.script, Audit: true, LogDir: o.LogDir, Progress: o.Progress})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bed.Stop()) }()
	if err := bed.Cluster.CreateNamespace(ctx, namespace); err != nil {
		return nil, err
	}
	r := &runner{
		Options: o, bed: bed, pods: p, byUID: map[types.UID]*execution{},
		report: &Report{Seed: o.Seed, Version: bed.Cluster.Version(), ByPlan: map[string]int{}, Findings: &report.Findings{}},
	}
	if err := r.all(ctx); err != nil {
		return nil, err
	}
	if r.report.Requests, err = r.countRequests(filepath.Join(bed.Cluster.LogDir(), "audit.log")); err != nil {
		return nil, err
	}
	if o.Reattach > 0 {
		if r.report.Reattach, err = r.reattach(ctx); err != nil {
			return nil, err
		}
	}
	return r.report, bed.Err()
}

// all runs Executions, several at a time, until all kills are used up.
func (r *runner) all(ctx context.Context) error {
	start := time.Now()
	errs := make(chan error, r.Parallel)
	for range r.Parallel {
		go func() {
			for {
				e, more, err := r.next(ctx)
				if err != nil || !more {
					errs <- err
					return
				}
				r.attempts(ctx, e)
			}
		}()
	}
	var err error
	for range r.Parallel {
		err = errors.Join(err, <-errs)
	}
	r.report.Took = time.Since(start)
	return err
}

// next creates another Execution, unless all kills are used up.
func (r *runner) next(ctx context.Context) (*execution, bool, error) {
	r.mu.Lock()
	n := r.executions
	undisturbed := n < r.Undisturbed
	if !undisturbed && r.report.Kills >= r.Kills {
		r.mu.Unlock()
		return nil, false, nil
	}
	r.executions++
	r.mu.Unlock()
	e := &execution{
		number: n, undisturbed: undisturbed, workers: 1, attempts: 1, pods: map[string][]string{}, running: map[int]int{},
		rnd: rand.New(rand.NewPCG(r.Seed, uint64(1000+n))),
	}
	if !undisturbed {
		e.draw(r.Overlap)
	}
	owner, err := r.createOwner(ctx, fmt.Sprintf("execution-%d", n))
	if err != nil {
		return nil, false, err
	}
	e.owner = owner
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byUID[owner.UID] = e
	return e, true, nil
}

var policies = []kontinue.ChildPolicy{kontinue.ChildPolicyNone, kontinue.ChildPolicyRetryFailed, kontinue.ChildPolicyRetryAll}

// draw chooses policy, attempts and workers by the number of the Execution. One in
// overlap has several attempts at once, of one or two workers each. Of the others one in
// three is retried, and one in four has two workers at once.
func (e *execution) draw(overlap int) {
	n := e.number
	if n%overlap == overlap-1 {
		k := n / overlap
		e.overlap, e.policy, e.attempts, e.workers = true, policies[k%3], 2, 1+k/3%2
		if k%5 == 4 {
			e.attempts = 3
		}
		return
	}
	if n%3 == 0 {
		e.attempts = 2
	}
	if n%4 == 0 {
		e.workers = 2
	}
	e.policy = policies[n/3%3]
}

// createOwner creates the object that stands for an Execution.
func (r *runner) createOwner(ctx context.Context, name string) (metav1.OwnerReference, error) {
	owner, err := r.bed.Client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}, metav1.CreateOptions{})
	if err != nil {
		return metav1.OwnerReference{}, fmt.Errorf("create execution: %w", err)
	}
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}, nil
}

// order returns the order of a worker of an Execution.
func (r *runner) order(e kontinue.Execution) order {
	return order{Kubeconfig: r.bed.Cluster.Kubeconfig(cluster.Worker), Namespace: namespace, Execution: e}
}
