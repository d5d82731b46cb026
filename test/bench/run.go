package bench

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/test/cluster"
)

// Options configure [Run]. The zero value of each field is its default.
type Options struct {
	// Runs is the number of runs of each style at each N. Default: 5.
	Runs int
	// Waits are the numbers of concurrent waits (N). Empty but not nil: the comparison of
	// concurrent waits is skipped. Default: 100, 1,000, 10,000.
	Waits []int
	// Styles default to [AllStyles].
	Styles []Style
	// Pace is the maximum number of Jobs of a sample that end per second. Default: 25.
	// Wake latency is measured against a raw watch in the same process. On a saturated
	// machine, such as two cores at 100 a second, it only shows which of the two was
	// scheduled first.
	Pace int
	// Launch is the number of steps to launch at once. Finish is the number of steps to
	// finish, to measure what is kept of them. Foreign is the number of unrelated pods
	// in the namespace. 0 skips an experiment.
	Launch, Finish, Foreign int
	// Telemetry is the number of waits of each process that measure what metrics and traces
	// cost. 0 skips the experiment.
	Telemetry int
	// Chain is the number of scripts that run one after another on a node. Latency is
	// the number of scripts at a time, to measure the latency of their results. 0 skips
	// an experiment.
	Chain, Latency int
	// Profile, if set, is a directory for CPU and heap profiles of the workers.
	Profile string
	// LogDir is the directory for the log files of the control plane. Default: they are
	// removed.
	LogDir string
	// Command is the command that the report names as its origin.
	Command string
	// Progress receives a line for each measurement. Default: none.
	Progress io.Writer
}

const (
	startLimit = 5 * time.Minute
	stopLimit  = time.Minute
	// inFlight is the number of concurrent requests of the launch experiments, which is
	// kontinue's default.
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

// sampleOf returns how many of n waits end in a run.
func sampleOf(n int) int { return min(n, max(n/20, min(n/2, 200))) }

// runner is the state of one Run.
type runner struct {
	Options
	dir     string
	config  string // kubeconfig of the workers
	client  kubernetes.Interface
	cluster *cluster.Cluster
	report  *Report
}

// Run starts a cluster for each kind of experiment and measures on it. It needs root and
// the programs of package cluster. The report has what was measured before an error; it
// is nil if there was no cluster.
func Run(ctx context.Context, options Options) (_ *Report, err error) {
	r := &runner{Options: options.complete()}
	if r.Profile != "" {
		if err := os.MkdirAll(r.Profile, 0o755); err != nil {
			return nil, err
		}
	}
	if r.dir, err = os.MkdirTemp("", "kontinue-bench-"); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(r.dir)) }()
	// The experiments with a node come first: their figures are those that users feel.
	if r.Chain > 0 || r.Latency > 0 {
		if err := r.on(ctx, cluster.Options{LogDir: r.LogDir}, r.node); err != nil {
			return r.report, err
		}
	}
	if len(r.Waits) == 0 && r.Launch == 0 && r.Finish == 0 && r.Foreign == 0 && r.Telemetry == 0 {
		return r.report, nil
	}
	return r.report, r.on(ctx, cluster.Options{LogDir: r.LogDir, ControlPlaneOnly: true}, r.compare)
}

// on starts a cluster, calls measure and stops the cluster.
func (r *runner) on(ctx context.Context, options cluster.Options, measure func(context.Context) error) (err error) {
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	c, err := cluster.Start(starting, options)
	if err != nil {
		return err
	}
	defer func() {
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		err = errors.Join(err, c.Stop(stopping))
	}()
	r.cluster, r.config = c, c.Kubeconfig(cluster.Admin)
	if r.client, err = kubernetes.NewForConfig(c.RESTConfig(cluster.Admin)); err != nil {
		return err
	}
	if r.report == nil {
		r.report = newReport(c.Version(), r.Options)
	}
	return measure(ctx)
}

// compare measures everything for which this process plays the Job controller and the
// kubelet.
func (r *runner) compare(ctx context.Context) error {
	namespaces := []string{experimentNamespace}
	for _, n := range r.Waits {
		namespaces = append(namespaces, namespaceOf(n))
	}
	for i := range observed {
		namespaces = append(namespaces, observedIn(i))
	}
	for _, namespace := range namespaces {
		if err := r.cluster.CreateNamespace(ctx, namespace); err != nil {
			return err
		}
	}
	// From here on, this process plays the Job controller.
	if err := r.cluster.Kill(ctx, cluster.ControllerManager); err != nil {
		return err
	}
	if err := r.overhead(ctx); err != nil {
		return fmt.Errorf("telemetry: %w", err)
	}
	if err := r.experiments(ctx); err != nil {
		return err
	}
	for _, n := range r.Waits {
		if err := r.waits(ctx, n); err != nil {
			return fmt.Errorf("%d waits: %w", n, err)
		}
	}
	return nil
}

const experimentNamespace = "bench-experiments"

func namespaceOf(n int) string { return fmt.Sprintf("bench-%d", n) }

// waits measures all styles with n waits, alternating between them.
func (r *runner) waits(ctx context.Context, n int) error {
	began := time.Now()
	w, err := newWorld(ctx, r.client, namespaceOf(n), n)
	if err != nil {
		return err
	}
	fmt.Fprintf(r.Progress, "%d jobs and pods running after %s\n", n, time.Since(began).Round(time.Second))
	done := map[Style]bool{} // styles that are not run again at this n
	for run := range r.Runs {
		if err := r.list(ctx, w, n); err != nil {
			return err
		}
		// In a random order, the same for each invocation: what a style left behind in the API
		// server and in etcd must not always count against the same next one.
		for _, i := range rand.New(rand.NewPCG(uint64(run), uint64(n))).Perm(len(r.Styles)) {
			style := r.Styles[i]
			if done[style] {
				continue
			}
			began := time.Now()
			m, err := r.one(ctx, w, style, sampleOf(n))
			var cannot *styleError
			if errors.As(err, &cannot) {
				done[style] = true
				r.report.cannot(style, n, cannot.text)
				fmt.Fprintf(r.Progress, "n=%d run=%d %s: failed: %s\n", n, run, style, cannot.text)
				continue
			}
			if err != nil {
				return fmt.Errorf("%s: %w", style, err)
			}
			r.report.add(style, n, m)
			done[style] = run > 0 && time.Since(began) > slow
			fmt.Fprintf(r.Progress, "n=%d run=%d %-17s %s (%s)\n", n, run, style, m, time.Since(began).Round(time.Second))
		}
	}
	return deleteJobs(ctx, r.client, w.namespace, identity.Selector(group))
}

// slow ends a style at this n: after its second or a later run took longer, it is not
// run again.
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
	// The worker must be gone before the Jobs are replaced: it may still act on waits
	// that have ended.
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
