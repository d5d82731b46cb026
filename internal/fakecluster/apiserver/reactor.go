package apiserver

import (
	"context"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	clienttesting "k8s.io/client-go/testing"
)

// serverReactor is the server at the end of a fake clientset's reaction chain. It
// serves the types without a direct client.
type serverReactor struct {
	s    *Server
	user string
}

// Handles implements testing.Reactor.
func (r *serverReactor) Handles(clienttesting.Action) bool { return true }

// React implements testing.Reactor.
func (r *serverReactor) React(action clienttesting.Action) (bool, runtime.Object, error) {
	res := lookupResource(action.GetResource())
	if res == nil {
		// The fake clientset answers requests for discovery's pseudo resources.
		return false, nil, nil
	}
	c := call{user: r.user, verb: action.GetVerb(), res: res, sub: action.GetSubresource(), ns: action.GetNamespace()}
	if c.verb == "delete-collection" {
		c.verb = "deletecollection"
	}
	var op func() (runtime.Object, error)
	// Fake clientsets pass no context on.
	ctx := context.Background()
	switch a := action.(type) {
	case clienttesting.GetActionImpl:
		c.name = a.Name
		op = func() (runtime.Object, error) { return orNil(r.s.get(c)) }
	case clienttesting.ListActionImpl:
		op = func() (runtime.Object, error) {
			found, err := r.s.list(c, a.ListOptions)
			if err != nil {
				return nil, err
			}
			return found.typed(res)
		}
	case clienttesting.CreateActionImpl:
		op = func() (runtime.Object, error) { return r.s.createAny(ctx, c, a.Object, a.CreateOptions) }
	case clienttesting.UpdateActionImpl:
		obj, ok := a.Object.(object)
		if !ok {
			return false, nil, nil
		}
		c.name = obj.GetName()
		op = func() (runtime.Object, error) { return orNil(r.s.update(ctx, c, obj, a.UpdateOptions)) }
	case clienttesting.PatchActionImpl:
		c.name = a.Name
		op = func() (runtime.Object, error) { return orNil(r.s.patch(ctx, c, a.PatchType, a.Patch, a.PatchOptions)) }
	case clienttesting.DeleteActionImpl:
		c.name = a.Name
		op = func() (runtime.Object, error) { return nil, r.s.delete(ctx, c, a.DeleteOptions) }
	case clienttesting.DeleteCollectionActionImpl:
		op = func() (runtime.Object, error) {
			return nil, r.s.deleteCollection(ctx, c, a.DeleteOptions, a.ListOptions)
		}
	default:
		// Pod logs and proxies: the fake's action names no pod.
		return false, nil, nil
	}
	answer, err := serve(ctx, r.s, c, op)
	return true, answer, err
}

// createAny is create, and the subresources that are written by POST.
func (s *Server) createAny(ctx context.Context, c call, in runtime.Object, opts metav1.CreateOptions) (runtime.Object, error) {
	switch o := in.(type) {
	case *authorizationv1.SelfSubjectAccessReview:
		return s.review(c.user, o), nil
	case *corev1.Binding:
		return in, s.bind(ctx, c, o)
	case *policyv1.Eviction:
		return in, s.evict(ctx, c, o)
	}
	obj, ok := in.(object)
	if !ok {
		return nil, internal("object without metadata")
	}
	if c.sub != "" {
		return orNil(s.update(ctx, c, obj, metav1.UpdateOptions{}))
	}
	return orNil(s.create(ctx, c, obj, opts))
}

// serverWatchReactor is serverReactor for watches.
type serverWatchReactor struct {
	s    *Server
	user string
}

// Handles implements testing.WatchReactor.
func (r *serverWatchReactor) Handles(clienttesting.Action) bool { return true }

// React implements testing.WatchReactor.
func (r *serverWatchReactor) React(action clienttesting.Action) (bool, watch.Interface, error) {
	res := lookupResource(action.GetResource())
	a, ok := action.(clienttesting.WatchActionImpl)
	if res == nil || !ok {
		return false, nil, nil
	}
	c := call{user: r.user, verb: "watch", res: res, ns: action.GetNamespace()}
	w, err := serve(context.Background(), r.s, c, func() (watch.Interface, error) {
		return r.s.watch(context.Background(), c, a.ListOptions)
	})
	return true, w, err
}

// orNil keeps a nil object from becoming a non-nil interface.
func orNil(o object, err error) (runtime.Object, error) {
	if err != nil {
		return nil, err
	}
	return o, nil
}
