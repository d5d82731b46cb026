package bench

import (
	"context"
	"fmt"
	"path"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// connect starts a client. config has what is particular to a style. No client asks for its
// rights, which the other styles do not either, and so none writes Events.
func (w *waiter) connect(ctx context.Context, config kontinue.Config) (*kontinue.Client, error) {
	config.RESTConfig, config.Namespace, config.Group, config.SkipPreflight = w.config, w.namespace, group, true
	client, err := kontinue.New(config)
	if err != nil {
		return nil, err
	}
	return client, client.Start(ctx)
}

// cacheOnly starts a client and runs no step.
func cacheOnly(ctx context.Context, w *waiter) error {
	_, err := w.connect(ctx, kontinue.Config{})
	return err
}

// runPods resumes all steps, whose Jobs exist. A waiter counts as woken when the PATCH
// that records its outcome is about to be sent, which is its first visible action. It
// has its result when RunPod returns.
func runPods(ctx context.Context, w *waiter) error {
	w.wakeOnPatch()
	client, err := w.connect(ctx, kontinue.Config{})
	if err != nil {
		return err
	}
	return w.runPods(ctx, client)
}

// runPodsProgress is runPods with a progress callback. A step reports that it has
// succeeded before it records it, so wakes compare with those of the informers.
func runPodsProgress(ctx context.Context, w *waiter) error {
	client, err := w.connect(ctx, kontinue.Config{OnProgress: func(p kontinue.Progress) {
		if p.State == kontinue.StepSucceeded {
			w.woke(w.index[p.Job])
		}
	}})
	if err != nil {
		return err
	}
	return w.runPods(ctx, client)
}

func (w *waiter) runPods(ctx context.Context, client *kontinue.Client) error {
	ktx, err := client.NewExecutionContext(ctx, resumed(w.owner))
	if err != nil {
		return err
	}
	var begun atomic.Int64
	failed := make(chan error, 1)
	spec := new(podSpec())
	for i := range w.targets {
		go func() {
			begun.Add(1)
			r, err := kontinue.RunPod(ktx, podOptions(i, spec))
			if err == nil {
				err = wrong(i, r)
			}
			if err != nil {
				fail(failed, err)
				return
			}
			w.returned(i)
		}()
	}
	return w.attached(ctx, &begun, failed)
}

// startPods resumes all steps as handles, and takes their results one after the other.
func startPods(ctx context.Context, w *waiter) error {
	w.wakeOnPatch()
	client, err := w.connect(ctx, kontinue.Config{})
	if err != nil {
		return err
	}
	ktx, err := client.NewExecutionContext(ctx, resumed(w.owner))
	if err != nil {
		return err
	}
	var begun atomic.Int64
	failed := make(chan error, 1)
	steps := make([]*kontinue.Step[*kontinue.PodResult], 0, len(w.targets))
	spec := new(podSpec())
	for i := range w.targets {
		s, err := kontinue.StartPod(ktx, podOptions(i, spec))
		if err != nil {
			return err
		}
		steps = append(steps, s)
		begun.Add(1)
	}
	go func() {
		for i, s := range steps {
			r, err := s.Wait(ctx)
			if err == nil {
				err = wrong(i, r)
			}
			if err != nil {
				fail(failed, err)
				return
			}
			w.returned(i)
		}
	}()
	return w.attached(ctx, &begun, failed)
}

// wakeOnPatch counts a waiter as woken when the PATCH of its Job is sent.
func (w *waiter) wakeOnPatch() {
	w.count.onPatch = func(url string) {
		if i, ok := w.index[path.Base(url)]; ok {
			w.woke(i)
		}
	}
}

// podOptions returns the options of the i-th step. It is not inlined, to keep them out
// of the stack frame of the waiting goroutine, which no longer needs them.
//
//go:noinline
func podOptions(i int, spec *corev1.PodSpec) *kontinue.PodOptions {
	return &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: stepName(i)}, Spec: *spec}
}

// wrong returns an error if the result of the i-th step is not a resumed success with
// the complete pod.
//
//go:noinline
func wrong(i int, r *kontinue.PodResult) error {
	if !r.Succeeded() || !r.Resumed() || len(r.Drift()) > 0 || len(r.Pod.Spec.Containers) != 1 || len(r.Pod.Spec.Containers[0].Env) != 10 {
		return fmt.Errorf("step %s: %s, resumed %v, drift %v, pod %+v", stepName(i), r.Message, r.Resumed(), r.Drift(), r.Pod)
	}
	return nil
}
