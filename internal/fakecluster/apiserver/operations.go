package apiserver

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
)

// operation executes one verb on a resource or subresource.
type operation func(ctx context.Context, x *exchange) (*response, error)

// standardOperations are those of a resource that is stored.
var standardOperations = map[string]operation{
	"get": getObject, "list": listObjects, "watch": watchObjects, "create": createObject, "update": updateObject,
	"patch": patchObject, "delete": deleteObject, "deletecollection": deleteObjects,
}

// namespaceOperations are those of namespaces, which are deleted one by one.
var namespaceOperations = map[string]operation{
	"get": getObject, "list": listObjects, "watch": watchObjects, "create": createObject, "update": updateObject,
	"patch": patchObject, "delete": deleteObject,
}

// statusOperations are those of a status subresource.
var statusOperations = map[string]operation{"get": getObject, "update": updateObject, "patch": patchObject}

// noSubresource are the operations of a subresource that a custom resource does not have.
// Unlike that of another resource, its path exists.
var noSubresource = map[string]operation{"get": notFound, "create": notFound, "update": notFound, "patch": notFound, "delete": notFound}

// notServed are the operations of a connection to a container.
var notServed = map[string]operation{"get": noConnection, "create": noConnection}

func noConnection(ctx context.Context, x *exchange) (*response, error) {
	if _, err := getObject(ctx, x); err != nil {
		return nil, err
	}
	return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusNotImplemented, Reason: metav1.StatusReasonMethodNotAllowed,
		Message: fmt.Sprintf("this cluster in memory does not serve pods/%s: its containers are local processes or scripts", x.call.sub),
	}}
}

func notFound(_ context.Context, x *exchange) (*response, error) {
	return nil, apierrors.NewNotFound(x.call.res.groupResource(), x.call.name)
}

// subresource is a subresource of a single resource.
type subresource struct {
	kind       schema.GroupVersionKind // zero for the kind of the resource
	operations map[string]operation
}

// specialSubresources are those besides status. The first key is the resource.
var specialSubresources = map[schema.GroupResource]map[string]subresource{
	{Resource: "pods"}: {
		"log":      {operations: map[string]operation{"get": getLog}},
		"binding":  {corev1.SchemeGroupVersion.WithKind("Binding"), map[string]operation{"create": postBinding}},
		"eviction": {policyv1.SchemeGroupVersion.WithKind("Eviction"), map[string]operation{"create": postEviction}},
		// Their paths exist, so that kubectl is not left with a missing resource.
		"attach":      {operations: notServed},
		"exec":        {operations: notServed},
		"portforward": {operations: notServed},
	},
	{Resource: "namespaces"}: {"finalize": {operations: map[string]operation{"update": updateObject}}},
}

// operations returns what can be done with the resource or its subresource, by verb;
// nil if there is no such subresource.
func (r *resource) operations(sub string) map[string]operation {
	switch {
	case sub == "" && reviews[r.gvk] != nil:
		return map[string]operation{"create": postReview}
	case sub == "" && r == namespaces:
		return namespaceOperations
	case sub == "":
		return standardOperations
	case sub == "status" && r.hasStatus:
		return statusOperations
	case r.custom:
		return noSubresource
	}
	return specialSubresources[r.groupResource()][sub].operations
}

// subresources returns the names of the subresources in their order.
func (r *resource) subresources() []string {
	names := slices.Collect(maps.Keys(specialSubresources[r.groupResource()]))
	if r.hasStatus {
		names = append(names, "status")
	}
	slices.Sort(names)
	return names
}

// kindOf returns the kind of a subresource.
func (r *resource) kindOf(sub string) schema.GroupVersionKind {
	if special := specialSubresources[r.groupResource()][sub]; !special.kind.Empty() {
		return special.kind
	}
	return r.gvk
}

// one responds with an object.
func (x *exchange) one(code int, rev *revision, err error) (*response, error) {
	if err != nil {
		return nil, err
	}
	return &response{code: code, encode: func(f *format) ([]byte, error) { return x.view.one(f, rev) }}, nil
}

// many responds with a list.
func (x *exchange) many(found result, err error) (*response, error) {
	if err != nil {
		return nil, err
	}
	return &response{code: http.StatusOK, encode: func(f *format) ([]byte, error) { return x.view.many(f, found) }}, nil
}

// success responds with a Status.
func (x *exchange) success(code int, details *metav1.StatusDetails, err error) (*response, error) {
	if err != nil {
		return nil, err
	}
	return &response{code: code, encode: func(f *format) ([]byte, error) {
		return f.object(statusKind, &metav1.Status{Status: metav1.StatusSuccess, Details: details})
	}}, nil
}

func getObject(_ context.Context, x *exchange) (*response, error) {
	c := x.call
	rev := x.s.find(c.res, c.ns, c.name)
	if rev == nil {
		return nil, apierrors.NewNotFound(c.res.groupResource(), c.name)
	}
	return x.one(http.StatusOK, rev, nil)
}

func listObjects(_ context.Context, x *exchange) (*response, error) {
	var opts metav1.ListOptions
	if err := x.options(&opts); err != nil {
		return nil, err
	}
	return x.many(x.s.list(x.call, opts))
}

func createObject(ctx context.Context, x *exchange) (*response, error) {
	var opts metav1.CreateOptions
	if err := x.options(&opts); err != nil {
		return nil, err
	}
	if err := invalidOptions("CreateOptions", validation.ValidateCreateOptions(&opts)); err != nil {
		return nil, err
	}
	obj := x.call.res.newObject()
	if err := x.decode(x.call.res.gvk, obj); err != nil {
		return nil, err
	}
	obj, err := x.call.trackNew(obj, opts.FieldManager)
	if err != nil {
		return nil, err
	}
	rev, err := x.s.create(ctx, x.call, obj, opts)
	if err == nil {
		for _, text := range x.call.res.strategy.WarningsOnCreate(rev.object) {
			x.warn(text)
		}
	}
	return x.one(http.StatusCreated, rev, err)
}

func updateObject(ctx context.Context, x *exchange) (*response, error) {
	var opts metav1.UpdateOptions
	if err := x.options(&opts); err != nil {
		return nil, err
	}
	if err := invalidOptions("UpdateOptions", validation.ValidateUpdateOptions(&opts)); err != nil {
		return nil, err
	}
	obj := x.call.res.newObject()
	if err := x.decode(x.call.res.gvk, obj); err != nil {
		return nil, err
	}
	if name := obj.GetName(); name != "" && name != x.call.name {
		return nil, otherName(name, x.call.name)
	}
	rev, err := x.s.update(ctx, x.call, obj, opts)
	return x.one(http.StatusOK, rev, err)
}

func patchObject(ctx context.Context, x *exchange) (*response, error) {
	mediaType, _, _ := strings.Cut(x.r.Header.Get("Content-Type"), ";")
	if known := patchTypes(x.call.res); !slices.Contains(known, mediaType) {
		if x.call.res.custom {
			return nil, unknownFormat(known)
		}
		err := unsupported("415: Unsupported Media Type")
		err.ErrStatus.Details = &metav1.StatusDetails{}
		return nil, err
	}
	data, err := x.body()
	if err != nil {
		return nil, err
	}
	var opts metav1.PatchOptions
	if err := x.options(&opts); err != nil {
		return nil, err
	}
	pt := types.PatchType(mediaType)
	if err := invalidOptions("PatchOptions", validation.ValidatePatchOptions(&opts, pt)); err != nil {
		return nil, err
	}
	if pt == types.ApplyYAMLPatchType {
		return x.apply(ctx, data, opts)
	}
	rev, warnings, err := x.s.patch(ctx, x.call, pt, data, opts)
	x.warnOf(warnings)
	return x.one(http.StatusOK, rev, err)
}

func deleteObject(ctx context.Context, x *exchange) (*response, error) {
	opts, err := x.deleteOptions()
	if err != nil {
		return nil, err
	}
	c := x.call
	last, gone, err := x.s.delete(ctx, c, opts)
	if err != nil {
		return nil, err
	}
	if c.res.strategy.OrphanDependents && opts.PropagationPolicy == nil && opts.OrphanDependents == nil { //nolint:staticcheck // old clients send it
		x.warn("child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning")
	}
	if !gone || c.res == pods {
		return x.one(http.StatusOK, last, nil)
	}
	return x.success(http.StatusOK, &metav1.StatusDetails{
		Name: c.name, Group: c.res.gvr.Group, Kind: c.res.gvr.Resource, UID: last.GetUID(),
	}, nil)
}

func deleteObjects(ctx context.Context, x *exchange) (*response, error) {
	var selected metav1.ListOptions
	if err := x.options(&selected); err != nil {
		return nil, err
	}
	opts, err := x.deleteOptions()
	if err != nil {
		return nil, err
	}
	return x.many(x.s.deleteCollection(ctx, x.call, opts, selected))
}

// postBinding is POST pods/binding.
func postBinding(ctx context.Context, x *exchange) (*response, error) {
	var b corev1.Binding
	if err := x.decode(corev1.SchemeGroupVersion.WithKind("Binding"), &b); err != nil {
		return nil, err
	}
	if b.Name != "" && b.Name != x.call.name {
		return nil, otherName(b.Name, x.call.name)
	}
	return x.success(http.StatusCreated, nil, x.s.bind(ctx, x.call, &b))
}

// postEviction is POST pods/eviction.
func postEviction(ctx context.Context, x *exchange) (*response, error) {
	var e policyv1.Eviction
	if err := x.decode(policyv1.SchemeGroupVersion.WithKind("Eviction"), &e); err != nil {
		return nil, err
	}
	if e.Name != "" && e.Name != x.call.name {
		return nil, apierrors.NewBadRequest("name in URL does not match name in Eviction object")
	}
	return x.success(http.StatusCreated, nil, x.s.evict(ctx, x.call, &e))
}
