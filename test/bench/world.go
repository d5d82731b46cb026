package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// target is one Job to wait for.
type target struct {
	Name string
	UID  types.UID
	pod  string
	podU types.UID
}

// world is a namespace with N running Jobs of one Execution, and their Pods. It plays
// the Job controller and the kubelet.
type world struct {
	client    kubernetes.Interface
	namespace string
	owner     metav1.OwnerReference
	targets   []target
	rnd       *rand.Rand
	number    atomic.Int64 // of the last pod
}

// writers is the number of concurrent requests where a world does not pace itself.
const writers = 32

// newWorld creates the Execution's object, and the N Jobs and Pods.
func newWorld(ctx context.Context, client kubernetes.Interface, namespace string, n int) (*world, error) {
	w := &world{client: client, namespace: namespace, targets: make([]target, n), rnd: rand.New(rand.NewPCG(1, uint64(n)))}
	owner, err := client.CoreV1().ConfigMaps(namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: "execution"},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("create execution: %w", err)
	}
	w.owner = metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}
	return w, inParallel(ctx, writers, n, w.begin)
}

// begin creates the i-th Job and its Pod, and marks them as running.
func (w *world) begin(ctx context.Context, i int) error {
	job, err := newJob(w.namespace, w.owner, stepName(i))
	if err != nil {
		return err
	}
	if job, err = w.client.BatchV1().Jobs(w.namespace).Create(ctx, job, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create job: %w", err)
	}
	now := wholeSeconds()
	pod, err := w.client.CoreV1().Pods(w.namespace).Create(ctx, newPod(job, int(w.number.Add(1))), metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create pod: %w", err)
	}
	w.targets[i] = target{Name: job.Name, UID: job.UID, pod: pod.Name, podU: pod.UID}
	if err := w.patchPod(ctx, pod.Name, map[string]any{"status": running(now)}, "status"); err != nil {
		return err
	}
	return w.patchJob(ctx, job.Name, jobRunning(now))
}

// end completes the i-th Job and its Pod with four writes, in the controllers' order.
func (w *world) end(ctx context.Context, i int) error {
	t, now := &w.targets[i], wholeSeconds()
	if err := w.patchPod(ctx, t.pod, map[string]any{"status": succeeded(now)}, "status"); err != nil {
		return err
	}
	if err := w.patchJob(ctx, t.Name, jobDecided(now, t.podU)); err != nil {
		return err
	}
	if err := w.patchPod(ctx, t.pod, map[string]any{"metadata": map[string]any{"finalizers": nil}}); err != nil {
		return err
	}
	return w.patchJob(ctx, t.Name, jobComplete(now))
}

// replace replaces a Job that has ended with a running one.
func (w *world) replace(ctx context.Context, i int) error {
	t := &w.targets[i]
	err := w.client.BatchV1().Jobs(w.namespace).Delete(ctx, t.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete job: %w", err)
	}
	err = w.client.CoreV1().Pods(w.namespace).Delete(ctx, t.pod, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete pod: %w", err)
	}
	return w.begin(ctx, i)
}

// sample picks k of the Jobs.
func (w *world) sample(k int) []int { return w.rnd.Perm(len(w.targets))[:k] }

// endPaced ends the Jobs of the sample.
func (w *world) endPaced(ctx context.Context, sample []int, perSecond int) error {
	ends := make([]func(context.Context) error, len(sample))
	for k, i := range sample {
		ends[k] = func(ctx context.Context) error { return w.end(ctx, i) }
	}
	return paced(ctx, ends, perSecond)
}

// paced ends Jobs one after another, at most perSecond per second, so that a style can keep
// up on a machine that also runs the control plane.
func paced(ctx context.Context, ends []func(context.Context) error, perSecond int) error {
	ticker := time.NewTicker(time.Second / time.Duration(perSecond))
	defer ticker.Stop()
	work := make(chan func(context.Context) error)
	var feeding sync.WaitGroup
	feeding.Go(func() {
		defer close(work)
		for _, end := range ends {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			select {
			case work <- end:
			case <-ctx.Done():
				return
			}
		}
	})
	errs := make([]error, 4)
	var ending sync.WaitGroup
	for k := range errs {
		ending.Go(func() {
			for end := range work {
				errs[k] = errors.Join(errs[k], end(ctx))
			}
		})
	}
	ending.Wait()
	feeding.Wait()
	return errors.Join(errors.Join(errs...), ctx.Err())
}

// restore replaces the Jobs of a sample.
func (w *world) restore(ctx context.Context, sample []int) error {
	return inParallel(ctx, writers, len(sample), func(ctx context.Context, i int) error { return w.replace(ctx, sample[i]) })
}

// foreign creates unrelated pods.
func (w *world) foreign(ctx context.Context, n int) error {
	return inParallel(ctx, writers, n, func(ctx context.Context, i int) error {
		pod := &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: fmt.Sprintf("foreign-%06d", i), Labels: map[string]string{"app": "other"}},
			Spec:       corev1.PodSpec{NodeName: "node-1", Containers: podSpec().Containers},
		}
		pod.Spec.Containers[0].VolumeMounts = nil
		_, err := w.client.CoreV1().Pods(w.namespace).Create(ctx, pod, metav1.CreateOptions{})
		return err
	})
}

// deleteJobs deletes the Jobs of an Execution.
func deleteJobs(ctx context.Context, client kubernetes.Interface, namespace, selector string) error {
	var names []string
	options := metav1.ListOptions{LabelSelector: selector, Limit: 1000}
	for {
		list, err := client.BatchV1().Jobs(namespace).List(ctx, options)
		if err != nil {
			return fmt.Errorf("list jobs: %w", err)
		}
		for i := range list.Items {
			names = append(names, list.Items[i].Name)
		}
		if options.Continue = list.Continue; options.Continue == "" {
			break
		}
	}
	return inParallel(ctx, writers, len(names), func(ctx context.Context, i int) error {
		return client.BatchV1().Jobs(namespace).Delete(ctx, names[i], metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
	})
}

func (w *world) patchPod(ctx context.Context, name string, patch map[string]any, subresources ...string) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return err
	}
	if _, err = w.client.CoreV1().Pods(w.namespace).Patch(ctx, name, types.MergePatchType, text, metav1.PatchOptions{}, subresources...); err != nil {
		return fmt.Errorf("patch pod: %w", err)
	}
	return nil
}

func (w *world) patchJob(ctx context.Context, name string, status map[string]any) error {
	text, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	if _, err = w.client.BatchV1().Jobs(w.namespace).Patch(ctx, name, types.MergePatchType, text, metav1.PatchOptions{}, "status"); err != nil {
		return fmt.Errorf("patch job: %w", err)
	}
	return nil
}

// inParallel calls do for 0 to n-1 from that many workers, until one call fails.
func inParallel(ctx context.Context, workers, n int, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(workers, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
