package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

// pollEvery is the period of the polling style.
const pollEvery = 2 * time.Second

// openAtOnce is how many requests poll and watchPerWait open at a time. Go dials a
// connection for each request that finds no free stream, and thousands of concurrent
// TLS handshakes time out.
const openAtOnce = 90

// poll reads each Job every two seconds. The waits are spread over the period.
func poll(ctx context.Context, w *waiter) error {
	client, err := kubernetes.NewForConfig(w.config)
	if err != nil {
		return err
	}
	slots := make(chan struct{}, openAtOnce)
	var asked atomic.Int64
	failed := make(chan error, 1)
	all := make(chan struct{})
	for i, t := range w.targets {
		go func() {
			if pause(ctx, time.Duration(rand.Int64N(int64(pollEvery)))) != nil {
				return
			}
			ticker := time.NewTicker(pollEvery)
			defer ticker.Stop()
			for first := true; ; first = false {
				slots <- struct{}{}
				job, err := client.BatchV1().Jobs(w.namespace).Get(ctx, t.Name, metav1.GetOptions{})
				<-slots
				if first && err == nil && asked.Add(1) == int64(len(w.targets)) {
					close(all)
				}
				switch {
				case err != nil:
					fail(failed, fmt.Errorf("get: %w", err))
				case terminal(job):
					w.woke(i)
					return
				}
				select {
				case <-ticker.C:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	limit := time.NewTimer(attachLimit)
	defer limit.Stop()
	select {
	case <-all:
		return nil
	case err := <-failed:
		return err
	case <-limit.C:
		return fmt.Errorf("only %d of %d jobs were read within %s", asked.Load(), len(w.targets), attachLimit)
	}
}

// watchPerWait uses an informer and a watch stream for each wait.
func watchPerWait(ctx context.Context, w *waiter) error {
	client, err := kubernetes.NewForConfig(w.config)
	if err != nil {
		return err
	}
	slots := make(chan struct{}, openAtOnce)
	var synced atomic.Int64
	failed := make(chan error, 1)
	for i, t := range w.targets {
		only := fields.OneTermEqualSelector("metadata.name", t.Name).String()
		go func() {
			lw := listWatch(client, client.BatchV1().Jobs(w.namespace), func(o *metav1.ListOptions) { o.FieldSelector = only })
			slots <- struct{}{}
			var once sync.Once
			ended := func(e watch.Event) (bool, error) {
				once.Do(func() { // with the event of the initial state
					synced.Add(1)
					<-slots
				})
				job, ok := e.Object.(*batchv1.Job)
				return ok && terminal(job), nil
			}
			if _, err := watchtools.UntilWithSync(ctx, lw, &batchv1.Job{}, nil, ended); err != nil {
				fail(failed, fmt.Errorf("watch: %w", err))
				return
			}
			w.woke(i)
		}()
	}
	return w.attached(ctx, &synced, failed)
}

// listWatch lists and watches the objects of one resource that the options select.
func listWatch[L runtime.Object](client kubernetes.Interface, resource interface {
	List(ctx context.Context, o metav1.ListOptions) (L, error)
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}, selected func(*metav1.ListOptions)) cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			selected(&o)
			return resource.List(ctx, o)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			selected(&o)
			return resource.Watch(ctx, o)
		},
	}, client)
}
