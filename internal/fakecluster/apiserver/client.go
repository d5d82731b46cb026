package apiserver

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/gentype"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// typedClient implements the methods that all typed clients share: T is the object,
// L its list, C its apply configuration.
type typedClient[T object, L runtime.Object, C any] struct {
	c   *Clientset
	res *resource
	ns  string
	// list builds an L.
	list func(metav1.ListMeta, []T) L
}

func (t typedClient[T, L, C]) call(verb, sub, name string) call {
	return call{user: t.c.user, verb: verb, res: t.res, sub: sub, ns: t.ns, name: name}
}

// do runs a request whose response is an object.
func (t typedClient[T, L, C]) do(ctx context.Context, c call, op func() (object, error)) (T, error) {
	o, err := serve(ctx, t.c.s, c, op)
	if err != nil {
		// Like real clients, return an empty object with the error.
		return registry.As[T](t.res.newObject()), err
	}
	return registry.As[T](o), nil
}

func (t typedClient[T, L, C]) Create(ctx context.Context, obj T, opts metav1.CreateOptions) (T, error) {
	c := t.call("create", "", "")
	return t.do(ctx, c, func() (object, error) { return t.c.s.create(ctx, c, obj, opts) })
}

func (t typedClient[T, L, C]) Update(ctx context.Context, obj T, opts metav1.UpdateOptions) (T, error) {
	return t.updateSub(ctx, "", obj, opts)
}

func (t typedClient[T, L, C]) UpdateStatus(ctx context.Context, obj T, opts metav1.UpdateOptions) (T, error) {
	return t.updateSub(ctx, "status", obj, opts)
}

func (t typedClient[T, L, C]) updateSub(ctx context.Context, sub string, obj T, opts metav1.UpdateOptions) (T, error) {
	c := t.call("update", sub, obj.GetName())
	return t.do(ctx, c, func() (object, error) { return t.c.s.update(ctx, c, obj, opts) })
}

func (t typedClient[T, L, C]) Get(ctx context.Context, name string, _ metav1.GetOptions) (T, error) {
	c := t.call("get", "", name)
	return t.do(ctx, c, func() (object, error) { return t.c.s.get(c) })
}

func (t typedClient[T, L, C]) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error) {
	sub := ""
	if len(subresources) > 0 {
		sub = subresources[0]
	}
	c := t.call("patch", sub, name)
	return t.do(ctx, c, func() (object, error) { return t.c.s.patch(ctx, c, pt, data, opts) })
}

func (t typedClient[T, L, C]) Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error {
	c := t.call("delete", "", name)
	return t.c.exec(ctx, c, func() error { return t.c.s.delete(ctx, c, opts) })
}

func (t typedClient[T, L, C]) DeleteCollection(ctx context.Context, opts metav1.DeleteOptions, listOpts metav1.ListOptions) error {
	c := t.call("deletecollection", "", "")
	return t.c.exec(ctx, c, func() error { return t.c.s.deleteCollection(ctx, c, opts, listOpts) })
}

func (t typedClient[T, L, C]) List(ctx context.Context, opts metav1.ListOptions) (L, error) {
	c := t.call("list", "", "")
	found, err := serve(ctx, t.c.s, c, func() (result, error) { return t.c.s.list(c, opts) })
	if err != nil {
		return t.list(metav1.ListMeta{}, nil), err
	}
	items := make([]T, len(found.items))
	for i, o := range found.items {
		items[i] = registry.As[T](clone(o))
	}
	return t.list(found.meta, items), nil
}

func (t typedClient[T, L, C]) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	c := t.call("watch", "", "")
	return serve(ctx, t.c.s, c, func() (watch.Interface, error) { return t.c.s.watch(ctx, c, opts) })
}

// exec runs a request whose response is not an object.
func (c *Clientset) exec(ctx context.Context, r call, op func() error) error {
	_, err := serve(ctx, c.s, r, func() (struct{}, error) { return struct{}{}, op() })
	return err
}

// Apply returns an error: the server keeps no field managers.
func (t typedClient[T, L, C]) Apply(context.Context, C, metav1.ApplyOptions) (T, error) {
	_, err := patcher(types.ApplyPatchType, nil)
	return registry.As[T](t.res.newObject()), err
}

// ApplyStatus returns an error, like Apply.
func (t typedClient[T, L, C]) ApplyStatus(ctx context.Context, conf C, opts metav1.ApplyOptions) (T, error) {
	return t.Apply(ctx, conf, opts)
}

// get returns a copy of the stored object.
func (s *Server) get(c call) (object, error) {
	if o := s.load(c.res, c.ns, c.name); o != nil {
		return clone(o), nil
	}
	return nil, apierrors.NewNotFound(c.res.groupResource(), c.name)
}

// values converts the items of a list to the values that list types hold.
func values[T any](items []*T) []T { return gentype.FromPointerSlice(items) }
