package watch

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// pageSize is client-go's own for lists in pages.
const pageSize = 500

// listed is a parcel as an informer gets it in a list, which is of runtime.Objects.
// A parcel itself is none, for client-go's check that nobody changes a cached object
// (KUBE_CACHE_MUTATION_DETECTOR) looks at those alone.
type listed struct{ *parcel }

// GetObjectKind makes it a runtime.Object.
func (listed) GetObjectKind() schema.ObjectKind { return schema.EmptyObjectKind }

// DeepCopyObject makes it a runtime.Object. It is never called by an informer.
func (l listed) DeepCopyObject() runtime.Object { return l }

// parcels is the list that an informer gets.
type parcels struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []listed
}

// DeepCopyObject makes it a runtime.Object. It is never called by an informer.
func (p *parcels) DeepCopyObject() runtime.Object {
	c := *p
	return &c
}

// listAll reads the objects in pages, and keeps of each page what is to be kept
// before it asks for the next: a list of ten thousand Pods at once would be some
// hundred megabytes for a moment, and leave what is kept of it scattered over them.
// The state is the newest, which satisfies whatever an informer asks for.
func (s *source) listAll(ctx context.Context) (runtime.Object, error) {
	opts := metav1.ListOptions{Limit: pageSize}
	t := newTrimmer(true)
	all := &parcels{}
	for {
		page, err := persist(ctx, func() (runtime.Object, error) {
			page, err := answered(ctx, opts, s.list)
			s.note("list", err)
			return page, err
		})
		if apierrors.IsResourceExpired(err) && opts.Continue != "" {
			// The state that the pages are of is no longer there. A list in one answer
			// does not depend on it.
			opts, all = metav1.ListOptions{}, &parcels{}
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
			if p := t.parcel(obj); p != nil {
				all.Items = append(all.Items, listed{p})
			}
			return nil
		}); err != nil {
			return nil, err
		}
		if opts.Continue = m.GetContinue(); opts.Continue == "" {
			return all, nil
		}
	}
}

// parcel trims an object of a list.
func (t *trimmer) parcel(obj runtime.Object) *parcel {
	switch o := obj.(type) {
	case *batchv1.Job:
		p := newParcel(o)
		p.Object = trimmed[*Job]{taken, t.job(o)}
		return p
	case *corev1.Pod:
		p := newParcel(o)
		p.Object = trimmed[*Pod]{taken, t.pod(o, false)}
		return p
	default:
		return nil // the API server sends nothing else
	}
}
