package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/test/cluster"
)

// Options configure [Run]. The zero value of each field is its default.
type Options struct {
	// Runs is how often each style runs at each N. Default: 5.
	Runs int
	// Waits are the N, the numbers of concurrent waits. Default: 100, 1,000, 10,000.
	Waits []int
	// Styles default to [AllStyles].
	Styles []Style
	// Pace is how many Jobs of a sample end a second at most. Default: 25. A wake is
	// measured against a raw watch in the same process: where the machine has no core
	// to spare, as at 100 a second with two, it tells which of the two had one first.
	Pace int
	// Launch is how many steps are launched at once; Finish how many end, for what
	// is kept of them; Foreign how many pods of others there are. 0 leaves an
	// experiment out.
	Launch, Finish, Foreign int
	// Profile, if set, is a directory for CPU and heap profiles of the workers.
	Profile string
	// LogDir is where the log files of the control plane stay. Default: they go.
	LogDir string
	// Command is what the report says that it was made by.
	Command string
	// Progress is where a line is written now and then. Default: nowhere.
	Progress io.Writer
}

const (
	startLimit = 5 * time.Minute
	stopLimit  = time.Minute
	// inFlight is how many requests the launch experiments have open: kontinue's
	// default.
	inFlight = 64
)

func (o Options) complete() Options {
	o.Runs = cmp.Or(o.Runs, 5)
	o.Pace = cmp.Or(o.Pace, 25)
	if o.Waits == nil {
		o.Waits = []int{100, 1000, 10000}
	}
	if o.Styles == nil {
		o.Styles = AllStyles
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o
}

// sampleOf is how many of n waits end in a run.
func sampleOf(n int) int { return min(n, max(n/20, min(n/2, 200))) }

// runner is one Run.
type runner struct {
	Options
	dir     string
	config  string // kubeconfig of the workers
	client  kubernetes.Interface
	cluster *cluster.Cluster
	report  *Report
}

// Run starts a control plane and measures on it. It needs root and the programs
// of package cluster.
func Run(ctx context.Context, options Options) (_ *Report, err error) {
	r := &runner{Options: options.complete()}
	if r.Profile != "" {
		if err := os.MkdirAll(r.Profile, 0o755); err != nil {
			return nil, err
		}
	}
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := cluster.Start(starting, cluster.Options{ControlPlaneOnly: true, LogDir: r.LogDir})
	if err != nil {
		return nil, err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, c.Stop(stopping))
	}()
	if r.dir, err = os.MkdirTemp("", "kontinue-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	r.cluster, r.config = c, c.Kubeconfig(cluster.Admin)
	if r.client, err = kubernetes.NewForConfig(c.RESTConfig(cluster.Admin)); err != nil {
		return nil, err
	}
	r.report = newReport(c.Version(), r.Options)
	for _, n := range r.Waits {
		if err := c.CreateNamespace(ctx, namespaceOf(n)); err != nil {
			return nil, err
		}
	}
	if err := c.CreateNamespace(ctx, experimentNamespace); err != nil {
		return nil, err
	}
	// From here on the driver is the Job controller.
	if err := c.Kill(ctx, cluster.ControllerManager); err != nil {
		return nil, err
	}
	if err := r.experiments(ctx); err != nil {
		return r.report, err
	}
	for _, n := range r.Waits {
		if err := r.waits(ctx, n); err != nil {
			return r.report, fmt.Errorf("%d waits: %w", n, err)
		}
	}
	return r.report, nil
}

const experimentNamespace = "bench-experiments"

func namespaceOf(n int) string { return fmt.Sprintf("bench-%d", n) }

// waits measures all styles with n waits, in turns.
func (r *runner) waits(ctx context.Context, n int) error {
	began := time.Now()
	w, err := newWorld(ctx, r.client, namespaceOf(n), n)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.Progress, "%d jobs and pods run after %s\n", n, time.Since(began).Round(time.Second))
	given := map[Style]bool{} // styles that cannot be run, or not again, at this n
	for run := range r.Runs {
		if err := r.list(ctx, w, n); err != nil {
			return err
		}
		for _, style := range r.Styles {
			if given[style] {
				continue
			}
			began := time.Now()
			m, err := r.one(ctx, w, style, sampleOf(n))
			var cannot *styleError
			if errors.As(err, &cannot) {
				given[style] = true
				r.report.cannot(style, n, cannot.text)
				fmt.Fprintf(r.Progress, "n=%d run=%d %s: cannot be run: %s\n", n, run, style, cannot.text)
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", style, err)
			}
			r.report.add(style, n, m)
			given[style] = run > 0 && time.Since(began) > slow
			fmt.Fprintf(r.Progress, "n=%d run=%d %-17s %s (%s)\n", n, run, style, m, time.Since(began).Round(time.Second))
		}
	}
	return deleteJobs(ctx, r.client, w.namespace, identity.Selector(group))
}

// slow is a run after which there is no other, from the second on.
const slow = time.Minute

// list measures the raw LIST of the same objects.
func (r *runner) list(ctx context.Context, w *world, n int) error {
	p, err := start(ctx, order{Kubeconfig: r.config, Namespace: w.namespace, Style: rawList})
	if err != nil {
		return err
	}
	defer p.end()
	f, err := p.ask("")
	if err != nil {
		return err
	}
	r.report.value("list", n, f.Took)
	return nil
}

// one measures one style once.
func (r *runner) one(ctx context.Context, w *world, style Style, k int) (m measurement, err error) {
	p, err := r.attach(ctx, w, style)
	if err != nil {
		return m, err
	}
	defer p.end()
	if m.Attach, err = p.ask(""); err != nil {
		return m, err
	}
	if m.Idle, err = p.ask("idle"); err != nil {
		return m, err
	}
	if r.Profile != "" {
		if _, err := p.ask("memory"); err != nil {
			return m, err
		}
	}
	sample := w.sample(k)
	// What a style does when its waits have ended must be over before the Jobs are
	// replaced.
	defer func() {
		p.end()
		err = errors.Join(err, w.restore(ctx, sample))
	}()
	if _, err = p.ask(fmt.Sprintf("sample %d", k)); err != nil {
		return m, err
	}
	if err = w.endPaced(ctx, sample, r.Pace); err != nil {
		return m, err
	}
	m.Sample, err = p.ask("")
	return m, err
}

// attach starts a worker that waits for all Jobs of a world.
func (r *runner) attach(ctx context.Context, w *world, style Style) (*process, error) {
	targets := filepath.Join(r.dir, "targets.json")
	text, err := json.Marshal(w.targets)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(targets, text, 0o600); err != nil {
		return nil, err
	}
	o := order{Kubeconfig: r.config, Namespace: w.namespace, Style: style, Owner: w.owner, Targets: targets}
	if r.Profile != "" {
		o.Profile = filepath.Join(r.Profile, fmt.Sprintf("%s-%d", style, len(w.targets)))
	}
	return start(ctx, o)
}
