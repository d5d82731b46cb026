package bench

import (
	"context"
	"fmt"
	"path"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// cacheOnly starts a client and calls no step.
func cacheOnly(ctx context.Context, w *waiter) error {
	client, err := kontinue.New(kontinue.Config{RESTConfig: w.config, Namespace: w.namespace, Group: group})
	if err != nil {
		return err
	}
	return client.Start(ctx)
}

// runPods resumes all steps: their Jobs are there. A waiter has gone on when the
// record of its outcome is about to be sent, which is the first that can be seen
// from the outside; it has its result when RunPod returns.
func runPods(ctx context.Context, w *waiter) error {
	w.tellPatches()
	return w.runPods(ctx, nil)
}

// runPodsTelling has its waiters tell of the end, which they do as soon as they
// know it and before they record it, as those of the informers do.
func runPodsTelling(ctx context.Context, w *waiter) error {
	return w.runPods(ctx, func(p kontinue.Progress) {
		if p.State == kontinue.StepSucceeded {
			w.woke(w.index[p.Job])
		}
	})
}

func (w *waiter) runPods(ctx context.Context, tell func(kontinue.Progress)) error {
	client, err := kontinue.New(kontinue.Config{RESTConfig: w.config, Namespace: w.namespace, Group: group, OnProgress: tell})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
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
			w.gave(i)
		}()
	}
	return w.attached(ctx, &begun, failed)
}

// tellPatches takes the sending of a Job's PATCH for the waking of its waiter.
func (w *waiter) tellPatches() {
	w.count.onPatch = func(url string) {
		if i, ok := w.index[path.Base(url)]; ok {
			w.woke(i)
		}
	}
}

// podOptions are those of the i-th step. They are not in the frame of the
// goroutine that waits, which needs them no more by then.
//
//go:noinline
func podOptions(i int, spec *corev1.PodSpec) *kontinue.PodOptions {
	return &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: stepName(i)}, Spec: *spec}
}

// wrong tells what is wrong with the result of the i-th step: it has the whole pod.
//
//go:noinline
func wrong(i int, r *kontinue.PodResult) error {
	if !r.Succeeded() || !r.Resumed() || len(r.Drift()) > 0 || len(r.Pod.Spec.Containers) != 1 || len(r.Pod.Spec.Containers[0].Env) != 10 {
		return fmt.Errorf("step %s: %s, resumed %v, drift %v, pod %+v", stepName(i), r.Message, r.Resumed(), r.Drift(), r.Pod)
	}
	return nil
}
