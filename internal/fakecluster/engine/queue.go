package engine

import (
	"context"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"
)

// Queue is client-go's work queue, created on first use: a work queue starts a
// goroutine, and a cluster that is never started must not leak one.
type Queue[K comparable] struct {
	queue func() workqueue.TypedRateLimitingInterface[K]
}

// NewQueue returns a Queue. A key that failed is retried after base, then after
// twice the delay before, and at most after limit.
func NewQueue[K comparable](base, limit time.Duration) *Queue[K] {
	return &Queue[K]{sync.OnceValue(func() workqueue.TypedRateLimitingInterface[K] {
		return workqueue.NewTypedRateLimitingQueue(workqueue.NewTypedItemExponentialFailureRateLimiter[K](base, limit))
	})}
}

// Add marks key to be synced.
func (q *Queue[K]) Add(key K) { q.queue().Add(key) }

// AddAfter marks key to be synced once d has passed. The shortest delay of a key
// applies, so each sync must call it again for the next one.
func (q *Queue[K]) AddAfter(key K, d time.Duration) { q.queue().AddAfter(key, d) }

// ShutDown makes Work return. Keys that are added later are ignored.
func (q *Queue[K]) ShutDown() { q.queue().ShutDown() }

// Work syncs the keys of q, one after the other, until q is shut down or ctx is
// canceled. A key whose sync failed is retried.
func Work[K comparable](ctx context.Context, queue *Queue[K], sync func(context.Context, K) error) {
	q := queue.queue()
	for {
		key, shutDown := q.Get()
		if shutDown {
			return
		}
		if ctx.Err() != nil {
			q.Done(key)
			return
		}
		if err := sync(ctx, key); err != nil {
			q.AddRateLimited(key)
		} else {
			q.Forget(key)
		}
		q.Done(key)
	}
}
