package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
)

// launches are compared with each other. The order rotates from run to run, because
// etcd gets slower each time so many Jobs are deleted.
var launches = []string{launchRaw, launchWatched, launchKontinue}

// experiments takes the measurements that are not part of the comparison.
func (r *runner) experiments(ctx context.Context) error {
	for run := range r.Runs {
		if r.Launch == 0 {
			break
		}
		// Rotate the order: see launches.
		for i := range launches {
			what := launches[(run+i)%len(launches)]
			if err := r.launch(ctx, what, fmt.Sprintf("%s-%d", what, run)); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		}
	}
	if r.Finish == 0 && r.Foreign == 0 {
		return nil
	}
	if err := r.empty(ctx); err != nil {
		return err
	}
	w, err := newWorld(ctx, r.client, experimentNamespace, max(r.Finish, 1))
	if err != nil {
		return err
	}
	if r.Foreign > 0 {
		if err := r.among(ctx, w); err != nil {
			return fmt.Errorf("foreign pods: %w", err)
		}
	}
	return r.finish(ctx, w)
}

// launch measures how long it takes to create the Jobs of many steps.
func (r *runner) launch(ctx context.Context, what, name string) error {
	owner, err := r.client.CoreV1().ConfigMaps(experimentNamespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	o := order{
		Kubeconfig: r.config, Namespace: experimentNamespace, Style: what, N: r.Launch, Concurrency: inFlight,
		Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID},
	}
	if r.Profile != "" {
		o.Profile = filepath.Join(r.Profile, what)
	}
	p, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer p.end()
	f, err := p.ask("")
	if err != nil {
		return err
	}
	r.report.value(what, r.Launch, float64(r.Launch)/f.Took)
	fmt.Fprintf(r.Progress, "%s: %.0f jobs/s, %.2f ms of CPU each\n", what, float64(r.Launch)/f.Took, f.CPU/float64(r.Launch)*1000)
	return deleteJobs(ctx, r.client, experimentNamespace, identity.ExecutionSelector(owner.UID))
}

// attachOnce starts a worker that waits for all Jobs of a world, and kills it once
// all waits have begun.
func (r *runner) attachOnce(ctx context.Context, w *world, style Style) (figures, error) {
	p, err := r.attach(ctx, w, style)
	if err != nil {
		return figures{}, err
	}
	defer p.end()
	return p.ask("")
}

// empty measures a client in a namespace without Jobs.
func (r *runner) empty(ctx context.Context) error {
	for range r.Runs {
		f, err := r.attachOnce(ctx, &world{namespace: experimentNamespace}, clientAlone)
		if err != nil {
			return err
		}
		r.report.value("empty", 0, f.Memory.total())
		fmt.Fprintf(r.Progress, "a client without jobs: %.0f bytes (%d live)\n", f.Memory.total(), f.Memory.Live)
	}
	return nil
}

// finish measures the memory that a process keeps for finished steps.
func (r *runner) finish(ctx context.Context, w *world) error {
	p, err := r.attach(ctx, w, Kontinue)
	if err != nil {
		return err
	}
	defer p.end()
	n := len(w.targets)
	if _, err := p.ask(""); err != nil {
		return err
	}
	if _, err := p.ask(fmt.Sprintf("sample %d", n)); err != nil {
		return err
	}
	all := slices.Collect(func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	})
	if err := w.endPaced(ctx, all, 10000); err != nil {
		return err
	}
	f, err := p.ask("")
	if err != nil {
		return err
	}
	requests := float64(f.Requests) / float64(n)
	r.report.value("finish-writes", n, float64(f.Writes)/float64(n))
	r.report.value("finish-requests", n, requests)
	if err := pause(ctx, time.Second); err != nil { // until the watch has delivered the records
		return err
	}
	if f, err = p.ask("memory"); err != nil {
		return err
	}
	r.report.value("finished-here", n, f.Memory.total()/float64(n))
	fmt.Fprintf(r.Progress, "%d finished steps: %.0f bytes each (%.0f live), %.2f requests each\n",
		n, f.Memory.total()/float64(n), float64(f.Memory.Live)/float64(n), requests)
	p.end()
	for range r.Runs {
		f, err := r.attachOnce(ctx, w, clientAlone)
		if err != nil {
			return err
		}
		r.report.value("finished", n, f.Memory.total()/float64(n))
		fmt.Fprintf(r.Progress, "%d finished steps in another process: %.0f bytes each (%.0f live)\n",
			n, f.Memory.total()/float64(n), float64(f.Memory.Live)/float64(n))
	}
	for range r.Runs {
		f, err := r.attachOnce(ctx, w, resumeAll)
		if err != nil {
			return err
		}
		r.report.value("finished-resume", n, f.Took)
		r.report.value("finished-resume-cpu", n, f.CPU)
		fmt.Fprintf(r.Progress, "%d finished steps resumed in %.3f s (%.3f s of CPU), %d requests\n", n, f.Took, f.CPU, f.Requests)
	}
	return nil
}

// among measures kontinue's start and memory without and with unrelated pods in its
// namespace.
func (r *runner) among(ctx context.Context, w *world) error {
	measure := func(name string) error {
		for range r.Runs {
			f, err := r.attachOnce(ctx, w, Kontinue)
			if err != nil {
				return err
			}
			n := len(w.targets)
			r.report.value(name+"-memory", n, f.Memory.total()/float64(n))
			r.report.value(name+"-start", n, f.Took)
			fmt.Fprintf(r.Progress, "%s: %.0f bytes a wait, attached in %.3f s\n", name, f.Memory.total()/float64(n), f.Took)
		}
		return nil
	}
	if err := measure("alone"); err != nil {
		return err
	}
	if err := w.foreign(ctx, r.Foreign); err != nil {
		return err
	}
	return measure("foreign")
}
