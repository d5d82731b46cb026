package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/applyconfigurations"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"
)

// apply responds to a server-side apply.
func (x *exchange) apply(ctx context.Context, data []byte, opts metav1.PatchOptions) (*response, error) {
	if _, err := yaml.ToJSON(data); err != nil {
		return nil, apierrors.NewBadRequest("error encoding patch: " + err.Error())
	}
	var strict error
	if opts.FieldValidation != metav1.FieldValidationIgnore {
		strict = yaml.UnmarshalStrict(data, &map[string]any{})
	}
	rev, created, err := x.s.apply(ctx, x.call, data, strict, opts)
	if err != nil {
		return nil, err
	}
	if strict != nil {
		x.warnOf([]error{strict})
	}
	if created {
		return x.one(http.StatusCreated, rev, nil)
	}
	return x.one(http.StatusOK, rev, nil)
}

// apply is server-side apply (KEP-555): it merges the fields that data names into the
// object, which it creates if there is none. It reports whether it did. strict is the
// error of a strict parser of data, if it has one.
//
// Unlike a real server, this one tracks the managers of an object's fields only if it was
// created with a field manager, as by kubectl, or from its first apply on: before, all
// fields belong to the manager "before-first-apply".
func (s *Server) apply(ctx context.Context, c call, data []byte, strict error, opts metav1.PatchOptions) (rev *revision, created bool, err error) {
	config := &unstructured.Unstructured{Object: map[string]any{}}
	if err := yaml.Unmarshal(data, &config.Object); err != nil {
		return nil, false, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	merge := func(live object) (object, error) {
		manager, err := c.res.manager(c.sub)
		if err != nil {
			return nil, internal(err.Error())
		}
		force := opts.Force != nil && *opts.Force
		merged, err := manager.Apply(clone(live), config.DeepCopy(), opts.FieldManager, force)
		if err != nil {
			return nil, statusError(err)
		}
		obj, ok := merged.(object)
		if !ok {
			return nil, internal(fmt.Sprintf("%T has no metadata", merged))
		}
		if strict != nil && opts.FieldValidation == metav1.FieldValidationStrict {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("error strict decoding patch: %v", strict))
		}
		truncateTimes(obj)
		if obj.GetName() != c.name {
			return nil, otherName(obj.GetName(), c.name)
		}
		return obj, nil
	}
	dryRun := len(opts.DryRun) > 0
	for {
		rev, err = s.modify(ctx, c, dryRun, merge)
		if !apierrors.IsNotFound(err) || c.sub != "" || s.find(c.res, c.ns, c.name) != nil {
			return rev, false, err
		}
		rev, err = s.createApplied(ctx, c, merge, dryRun)
		if !apierrors.IsAlreadyExists(err) {
			return rev, true, err
		}
	}
}

// createApplied is apply where there is no object.
func (s *Server) createApplied(ctx context.Context, c call, merge func(object) (object, error), dryRun bool) (*revision, error) {
	empty := c.res.newObject()
	empty.GetObjectKind().SetGroupVersionKind(c.res.gvk)
	obj, err := merge(empty)
	if err != nil {
		return nil, err
	}
	if uid := obj.GetUID(); uid != "" {
		return nil, apierrors.NewConflict(c.res.groupResource(), c.name,
			fmt.Errorf("uid mismatch: the provided object specified uid %s, and no existing object was found", uid))
	}
	obj.SetResourceVersion("")
	c.verb = "create"
	if err := s.authorize(c.request()); err != nil {
		return nil, err
	}
	return s.create(ctx, c, obj, metav1.CreateOptions{DryRun: dryRunOption(dryRun)})
}

func dryRunOption(dryRun bool) []string {
	if dryRun {
		return []string{metav1.DryRunAll}
	}
	return nil
}

// trackNew records that the manager set the fields of a new object. Without a manager,
// they are not tracked.
func (c call) trackNew(obj object, manager string) (object, error) {
	obj.SetManagedFields(nil)
	if manager == "" {
		return obj, nil
	}
	return c.tracked(obj, c.res.newObject(), manager)
}

// track updates the managers of the fields of obj, which is to replace cur. Only objects
// that were applied, or created with a manager, have any. All other writes stay cheap.
func (c call) track(obj, cur object) (object, error) {
	if len(cur.GetManagedFields()) == 0 || c.own {
		if obj.GetManagedFields() != nil {
			obj.SetManagedFields(nil)
		}
		return obj, nil
	}
	return c.tracked(obj, clone(cur), c.manager)
}

func (c call) tracked(obj, live object, manager string) (object, error) {
	m, err := c.res.manager(c.sub)
	if err != nil {
		return nil, internal(err.Error())
	}
	tracked, ok := m.UpdateNoErrors(live, obj, manager).(object)
	if !ok {
		return nil, internal(fmt.Sprintf("%T has no metadata", obj))
	}
	truncateTimes(tracked)
	return tracked, nil
}

// truncateTimes makes the times of the managers what they are after a round trip through
// the API.
func truncateTimes(obj object) {
	managed := obj.GetManagedFields()
	for i := range managed {
		if t := managed[i].Time; t != nil {
			seconds := metav1.NewTime(t.Truncate(time.Second))
			managed[i].Time = &seconds
		}
	}
	obj.SetManagedFields(managed)
}

// statusError returns err as an API error: a 500 if it is none.
func statusError(err error) error {
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		return err
	}
	return internal(err.Error())
}

// fieldManagers are the field managers of a resource and its status.
type fieldManagers struct {
	mu    sync.Mutex
	bySub map[string]*managedfields.FieldManager
}

// manager returns the field manager, made at the first call.
func (r *resource) manager(sub string) (*managedfields.FieldManager, error) {
	r.managers.mu.Lock()
	defer r.managers.mu.Unlock()
	if m := r.managers.bySub[sub]; m != nil {
		return m, nil
	}
	filter := fieldpath.NewExcludeFilterSetMap(r.resetFields(sub))
	var m *managedfields.FieldManager
	var err error
	if r.custom {
		m, err = managedfields.NewDefaultCRDFieldManager(managedfields.NewDeducedTypeConverter(), unconverted{}, unconverted{}, unconverted{}, r.gvk, r.gvk.GroupVersion(), sub, filter)
	} else {
		m, err = managedfields.NewDefaultFieldManager(typeConverter(), scheme.Scheme, scheme.Scheme, scheme.Scheme, r.gvk, r.gvk.GroupVersion(), sub, filter)
	}
	if err != nil {
		return nil, err
	}
	if r.managers.bySub == nil {
		r.managers.bySub = map[string]*managedfields.FieldManager{}
	}
	r.managers.bySub[sub] = m
	return m, nil
}

// typeConverter knows the merge keys of all types of client-go, which takes a while.
var typeConverter = sync.OnceValue(func() managedfields.TypeConverter {
	return applyconfigurations.NewTypeConverter(scheme.Scheme)
})

// resetFields are the fields that a write of the subresource ignores. The writer does not
// become their manager.
func (r *resource) resetFields(sub string) map[fieldpath.APIVersion]*fieldpath.Set {
	reset := fieldpath.NewSet()
	switch {
	case sub == "status" && r.custom:
		reset = fieldpath.NewSet(fieldpath.MakePathOrDie("spec"), fieldpath.MakePathOrDie("metadata"))
	case sub == "status":
		reset = fieldpath.NewSet(fieldpath.MakePathOrDie("spec"))
	case r.hasStatus:
		reset = fieldpath.NewSet(fieldpath.MakePathOrDie("status"))
	}
	return map[fieldpath.APIVersion]*fieldpath.Set{fieldpath.APIVersion(r.gvk.GroupVersion().String()): reset}
}

// unconverted is the scheme of custom resources with one version.
type unconverted struct{}

// ConvertToVersion implements runtime.ObjectConvertor.
func (unconverted) ConvertToVersion(in runtime.Object, _ runtime.GroupVersioner) (runtime.Object, error) {
	return in, nil
}

// Convert implements runtime.ObjectConvertor.
func (unconverted) Convert(_, _, _ any) error {
	return errors.New("custom resources have one version")
}

// ConvertFieldLabel implements runtime.ObjectConvertor.
func (unconverted) ConvertFieldLabel(_ schema.GroupVersionKind, label, value string) (string, string, error) {
	return label, value, nil
}

// Default implements runtime.ObjectDefaulter.
func (unconverted) Default(runtime.Object) {}

// New implements runtime.ObjectCreater.
func (unconverted) New(kind schema.GroupVersionKind) (runtime.Object, error) {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u, nil
}
