package watch

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"
)

// run is one start of the informers; client-go's cannot be started twice.
type run struct {
	factory   informers.SharedInformerFactory
	store     *store
	sources   [2]*source
	synced    []cache.DoneChecker
	changed   chan struct{}
	stopping  <-chan struct{}
	cancel    context.CancelFunc
	ending    sync.Once
	ready     chan struct{} // closed when the outcome of Start is known
	err       error
	abandoned bool          // because the caller's context ended
	gone      chan struct{} // closed when every goroutine has ended
}

// await waits until caches, handlers and watches are all there.
func (r *run) await(ctx context.Context) error {
	for {
		waiting := 0
		for _, s := range r.sources {
			opened, err := s.state()
			if err != nil && err.fatal() {
				return fmt.Errorf("watch: %w", err)
			}
			if !opened {
				waiting++
			}
		}
		if waiting == 0 {
			break
		}
		select {
		case <-r.changed:
		case <-r.stopping:
			return ErrStopped
		case <-ctx.Done():
			return r.unready(ctx)
		}
	}
	for _, s := range r.synced {
		select {
		case <-s.Done():
		case <-r.stopping:
			return ErrStopped
		case <-ctx.Done():
			return r.unready(ctx)
		}
	}
	return nil
}

// unready explains why Start gives up: the failed requests if there are any.
func (r *run) unready(ctx context.Context) error {
	errs := []error{fmt.Errorf("watch: caches are not filled: %w", context.Cause(ctx))}
	for _, s := range r.sources {
		if opened, err := s.state(); err != nil {
			errs = append(errs, err)
		} else if !opened {
			errs = append(errs, fmt.Errorf("no answer to list and watch of %s in namespace %q", s.resource, s.namespace))
		}
	}
	return errors.Join(errs...)
}

// end stops the informers; gone is closed when their goroutines have ended.
func (r *run) end() {
	r.cancel()
	r.ending.Do(func() {
		go func() {
			defer close(r.gone)
			r.factory.Shutdown()
		}()
	})
}
