package listwatch

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/kontinue/kontinue/internal/apicall"
)

// pageSize is client-go's own default for lists in pages.
const pageSize = 500

// kept is the list that the reflector gets.
type kept struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []runtime.Object
}

// DeepCopyObject implements runtime.Object. A reflector does not call it.
func (k *kept) DeepCopyObject() runtime.Object {
	c := *k
	return &c
}

// listPages reads the newest state in pages, and reduces each page to what is kept
// before it requests the next: ten thousand whole Pods would be some hundred megabytes
// for a moment, with what is kept of them scattered over all.
func (l *ListerWatcher) listPages(ctx context.Context) (runtime.Object, error) {
	opts := metav1.ListOptions{Limit: pageSize}
	keep := l.cfg.Keep()
	all, objects := &kept{}, 0
	for {
		page, err := retryTransient(ctx, func() (runtime.Object, error) {
			page, err := apicall.Bounded(ctx, func(ctx context.Context) (runtime.Object, error) {
				return l.cfg.List(ctx, opts)
			})
			l.record("list", err)
			return page, err
		})
		if apierrors.IsResourceExpired(err) && opts.Continue != "" {
			// The API server no longer has the state that the pages belong to. A list
			// in one answer does not depend on it.
			opts, all, objects = metav1.ListOptions{}, &kept{}, 0
			continue
		}
		if err != nil {
			return nil, err
		}
		m, err := meta.ListAccessor(page)
		if err != nil {
			return nil, err
		}
		if all.ResourceVersion == "" {
			all.ResourceVersion = m.GetResourceVersion()
		}
		if err := meta.EachListItem(page, func(obj runtime.Object) error {
			objects++
			if l.cfg.Wanted != nil && !l.cfg.Wanted(obj) {
				return nil
			}
			if obj = keep(obj); obj != nil {
				all.Items = append(all.Items, obj)
			}
			return nil
		}); err != nil {
			return nil, err
		}
		l.read(objects)
		if opts.Continue = m.GetContinue(); opts.Continue == "" {
			return all, nil
		}
	}
}
