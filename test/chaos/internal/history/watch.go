package history

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
)

const managed = LabelManagedBy + "=kontinue"

// Watch opens watches of Jobs and pods in all namespaces. Call Stop to end them.
func (h *History) Watch(ctx context.Context) error {
	list, err := h.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return err
	}
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	// Jobs first, so that the Job of a pod is usually seen before the pod.
	for _, open := range []func(context.Context, metav1.ListOptions) (watch.Interface, error){
		h.client.BatchV1().Jobs("").Watch, h.client.CoreV1().Pods("").Watch,
	} {
		events, err := watchtools.NewRetryWatcherWithContext(ctx, list.ResourceVersion, &cache.ListWatch{
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				o.LabelSelector = managed
				return open(ctx, o)
			},
		})
		if err != nil {
			h.Stop()
			return err
		}
		h.watches.Go(func() {
			for event := range events.ResultChan() {
				h.Observe(event)
			}
		})
	}
	return nil
}

// Stop ends the watches and waits for their goroutines.
func (h *History) Stop() {
	h.stop()
	h.watches.Wait()
}
