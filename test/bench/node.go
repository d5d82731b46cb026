package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
)

const nodeNamespace = "bench-chain"

// node measures on a cluster whose node runs the scripts. The styles run by turns, in an
// order that rotates from run to run.
func (r *runner) node(ctx context.Context) error {
	if err := r.cluster.CreateNamespace(ctx, nodeNamespace); err != nil {
		return err
	}
	// The first pod of a node waits for more than the later ones.
	if _, err := r.scripts(ctx, order{Style: chainKontinue, N: 1}); err != nil {
		return err
	}
	for run := range r.Runs {
		if err := r.latencies(ctx, run); err != nil {
			return err
		}
	}
	if r.Chain == 0 {
		return nil
	}
	kubectl, err := buildKubectl(ctx, r.dir)
	if err != nil {
		return err
	}
	for run := range r.Runs {
		for i := range chainStyles {
			style := chainStyles[(run+i)%len(chainStyles)]
			f, err := r.scripts(ctx, order{Style: style, N: r.Chain, Kubectl: kubectl})
			if err != nil {
				return err
			}
			r.report.value(style, r.Chain, f.Took)
			fmt.Fprintf(r.Progress, "run=%d %-15s %d scripts in %.2f s\n", run, style, r.Chain, f.Took)
		}
	}
	return nil
}

// latencies measures the latency of results in each situation.
func (r *runner) latencies(ctx context.Context, run int) error {
	if r.Latency == 0 {
		return nil
	}
	for _, l := range situations(r.Latency) {
		f, err := r.scripts(ctx, order{Style: endLatency, N: l.steps, Concurrency: l.at, Sleep: l.sleep})
		if err != nil {
			return err
		}
		fmt.Fprintf(r.Progress, "run=%d %s: %d steps in %.1f s", run, l.name, l.steps, f.Took)
		for i, values := range [][]float64{f.Success, f.Failure, f.Record, f.Rest} {
			what := latencyRows[i].what
			for _, value := range values {
				r.report.value(l.name+what, l.at, value)
			}
			fmt.Fprintf(r.Progress, "; %s %s, at most %s", what, seconds(median(values)), seconds(quantile(values, 1)))
		}
		fmt.Fprintln(r.Progress)
	}
	return nil
}

// scripts runs an experiment of scripts in a worker process, and returns when no pod of
// it is left.
func (r *runner) scripts(ctx context.Context, o order) (figures, error) {
	owner, err := r.client.CoreV1().ConfigMaps(nodeNamespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{GenerateName: o.Style + "-"},
	}, metav1.CreateOptions{})
	if err != nil {
		return figures{}, err
	}
	o.Kubeconfig, o.Namespace = r.config, nodeNamespace
	o.Owner = metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}
	if o.Dir, err = os.MkdirTemp(r.dir, ""); err != nil {
		return figures{}, err
	}
	p, err := start(ctx, o)
	if err != nil {
		return figures{}, err
	}
	defer p.end()
	f, err := p.ask("")
	if err != nil {
		return f, fmt.Errorf("%s: %w", o.Style, err)
	}
	p.end()
	selector := identity.ExecutionSelector(owner.UID)
	if err := deleteJobs(ctx, r.client, nodeNamespace, selector); err != nil {
		return f, err
	}
	return f, r.podsGone(ctx, selector)
}

// podsGone waits until no pod is left.
func (r *runner) podsGone(ctx context.Context, selector string) error {
	ctx, cancel := context.WithTimeout(ctx, scriptLimit)
	defer cancel()
	for {
		list, err := r.client.CoreV1().Pods(nodeNamespace).List(ctx, metav1.ListOptions{LabelSelector: selector, Limit: 1})
		if err != nil || len(list.Items) == 0 {
			return err
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return fmt.Errorf("wait for the deletion of pods such as %s: %w", list.Items[0].Name, err)
		}
	}
}

// buildKubectl compiles kubectl into a directory and returns the path.
func buildKubectl(ctx context.Context, dir string) (string, error) {
	path := filepath.Join(dir, "kubectl")
	command := exec.CommandContext(ctx, "go", "build", "-o", path, "github.com/kontinue/kontinue/test/bench/cmd/kubectl")
	if output, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build kubectl: %w: %s", err, output)
	}
	return path, nil
}
