package apiserver

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/gentype"
	clienttesting "k8s.io/client-go/testing"
)

// typedClient implements the methods that all typed clients share: T is the object,
// L its list, C its apply configuration. It gives the reactors of the user's fake
// clientset the first word, without fake's lock, and then asks the server.
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

// do runs a request that is answered with an object.
func (t typedClient[T, L, C]) do(ctx context.Context, c call, action func() clienttesting.Action, op func() (object, error)) (T, error) {
	answer, err := intercept(t.c, c, action, func() (runtime.Object, error) {
		o, err := serve(ctx, t.c.s, c, op)
		if err != nil {
			return nil, err
		}
		return o, nil
	})
	if result, ok := answer.(T); ok && err == nil {
		return result, nil
	}
	// As the real clients: an empty object beside the error.
	return as[T](t.res.newObject()), err
}

func (t typedClient[T, L, C]) Create(ctx context.Context, obj T, opts metav1.CreateOptions) (T, error) {
	c := t.call("create", "", "")
	return t.do(ctx, c, func() clienttesting.Action {
		// A reactor may change the object and leave the rest to the server.
		obj = as[T](clone(obj))
		return clienttesting.NewCreateActionWithOptions(t.res.gvr, t.ns, obj, opts)
	}, func() (object, error) { return t.c.s.create(ctx, c, obj, opts) })
}

func (t typedClient[T, L, C]) Update(ctx context.Context, obj T, opts metav1.UpdateOptions) (T, error) {
	return t.updateSub(ctx, "", obj, opts)
}

func (t typedClient[T, L, C]) UpdateStatus(ctx context.Context, obj T, opts metav1.UpdateOptions) (T, error) {
	return t.updateSub(ctx, "status", obj, opts)
}

func (t typedClient[T, L, C]) updateSub(ctx context.Context, sub string, obj T, opts metav1.UpdateOptions) (T, error) {
	c := t.call("update", sub, obj.GetName())
	return t.do(ctx, c, func() clienttesting.Action {
		obj = as[T](clone(obj))
		return clienttesting.NewUpdateSubresourceActionWithOptions(t.res.gvr, sub, t.ns, obj, opts)
	}, func() (object, error) { return t.c.s.update(ctx, c, obj, opts) })
}

func (t typedClient[T, L, C]) Get(ctx context.Context, name string, opts metav1.GetOptions) (T, error) {
	c := t.call("get", "", name)
	return t.do(ctx, c, func() clienttesting.Action {
		return clienttesting.NewGetActionWithOptions(t.res.gvr, t.ns, name, opts)
	}, func() (object, error) { return t.c.s.get(c) })
}

func (t typedClient[T, L, C]) Patch(ctx context.Context, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions, subresources ...string) (T, error) {
	sub := ""
	if len(subresources) > 0 {
		sub = subresources[0]
	}
	c := t.call("patch", sub, name)
	return t.do(ctx, c, func() clienttesting.Action {
		return clienttesting.NewPatchSubresourceActionWithOptions(t.res.gvr, t.ns, name, pt, data, opts, subresources...)
	}, func() (object, error) { return t.c.s.patch(ctx, c, pt, data, opts) })
}

func (t typedClient[T, L, C]) Delete(ctx context.Context, name string, opts metav1.DeleteOptions) error {
	c := t.call("delete", "", name)
	_, err := intercept(t.c, c, func() clienttesting.Action {
		return clienttesting.NewDeleteActionWithOptions(t.res.gvr, t.ns, name, opts)
	}, func() (runtime.Object, error) {
		return serve(ctx, t.c.s, c, func() (runtime.Object, error) { return nil, t.c.s.delete(ctx, c, opts) })
	})
	return err
}

func (t typedClient[T, L, C]) DeleteCollection(ctx context.Context, opts metav1.DeleteOptions, listOpts metav1.ListOptions) error {
	c := t.call("deletecollection", "", "")
	_, err := intercept(t.c, c, func() clienttesting.Action {
		return clienttesting.NewDeleteCollectionActionWithOptions(t.res.gvr, t.ns, opts, listOpts)
	}, func() (runtime.Object, error) {
		return serve(ctx, t.c.s, c, func() (runtime.Object, error) {
			return nil, t.c.s.deleteCollection(ctx, c, opts, listOpts)
		})
	})
	return err
}

func (t typedClient[T, L, C]) List(ctx context.Context, opts metav1.ListOptions) (L, error) {
	c := t.call("list", "", "")
	answer, err := intercept(t.c, c, func() clienttesting.Action {
		return clienttesting.NewListActionWithOptions(t.res.gvr, t.res.gvk, t.ns, opts)
	}, func() (runtime.Object, error) {
		return serve(ctx, t.c.s, c, func() (runtime.Object, error) {
			found, err := t.c.s.list(c, opts)
			if err != nil {
				return nil, err
			}
			items := make([]T, len(found.items))
			for i, o := range found.items {
				items[i] = as[T](clone(o))
			}
			return t.list(found.meta, items), nil
		})
	})
	if result, ok := answer.(L); ok && err == nil {
		return result, nil
	}
	return t.list(metav1.ListMeta{}, nil), err
}

func (t typedClient[T, L, C]) Watch(ctx context.Context, opts metav1.ListOptions) (watch.Interface, error) {
	opts.Watch = true
	c := t.call("watch", "", "")
	return interceptWatch(t.c, c, func() clienttesting.Action {
		return clienttesting.NewWatchActionWithOptions(t.res.gvr, t.ns, opts)
	}, func() (watch.Interface, error) {
		return serve(ctx, t.c.s, c, func() (watch.Interface, error) { return t.c.s.watch(ctx, c, opts) })
	})
}

// Apply is refused: the server keeps no field managers.
func (t typedClient[T, L, C]) Apply(context.Context, C, metav1.ApplyOptions) (T, error) {
	_, err := patcher(types.ApplyPatchType, nil)
	return as[T](t.res.newObject()), err
}

// ApplyStatus is refused as Apply is.
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

// values turns the items of a list into the values that list types hold.
func values[T any](items []*T) []T { return gentype.FromPointerSlice(items) }
