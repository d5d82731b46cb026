package registry

import (
	"fmt"
	"reflect"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// Object is an API object: every type with an ObjectMeta is one.
type Object interface {
	metav1.Object
	runtime.Object
}

// As returns o as a T. It panics if o has another type: the caller has looked up
// the strategy by the type of the object.
func As[T any](o any) T {
	t, ok := o.(T)
	if !ok {
		panic(fmt.Sprintf("registry: %T is not a %T", o, t))
	}
	return t
}

// Strategy is the part of the API server's behavior that depends on the type. A
// function is nil for types without specific defaults or rules.
type Strategy struct {
	Generation             bool // metadata.generation is kept
	RequireResourceVersion bool // an update must name the resource version
	OrphanDependents       bool // deletion orphans dependents by default
	NoGarbageCollection    bool // deletion has no propagation policy

	name           apivalidation.ValidateNameFunc
	defaults       func(obj Object)
	create         func(obj Object)
	update         func(obj, cur Object, sub string)
	validate       func(obj Object) field.ErrorList
	validateUpdate func(obj, cur Object, sub string) field.ErrorList
	warnOnCreate   func(obj Object) []string
	equal          func(obj, cur Object) bool
}

// StrategyFor returns the strategy of a type.
func StrategyFor(gvk schema.GroupVersionKind) Strategy {
	switch gvk {
	case batchv1.SchemeGroupVersion.WithKind("Job"):
		return jobStrategy
	case corev1.SchemeGroupVersion.WithKind("Pod"):
		return podStrategy
	case corev1.SchemeGroupVersion.WithKind("Namespace"):
		return namespaceStrategy
	}
	st := Strategy{name: pathSegmentName}
	switch gvk.Group {
	case "apps", "batch", "policy":
		st.Generation = true
	case "coordination.k8s.io":
		st.RequireResourceVersion = true
	}
	st.NoGarbageCollection = gvk.Kind == "Event"
	if gvk == corev1.SchemeGroupVersion.WithKind("Secret") {
		st.defaults = func(o Object) {
			if secret := As[*corev1.Secret](o); secret.Type == "" {
				secret.Type = corev1.SecretTypeOpaque
			}
		}
	}
	return st
}

// pathSegmentName accepts every name that can stand in a URL.
func pathSegmentName(name string, _ bool) []string {
	return content.IsPathSegmentName(name)
}

// SetDefaults sets the fields that the API server defaults.
func (st *Strategy) SetDefaults(o Object) {
	if st.defaults != nil {
		st.defaults(o)
	}
}

// PrepareForCreate clears and sets what a client cannot choose in a new object.
func (st *Strategy) PrepareForCreate(o Object) {
	if st.create != nil {
		st.create(o)
	}
}

// PrepareForUpdate keeps the main resource and the status subresource apart.
func (st *Strategy) PrepareForUpdate(obj, cur Object, sub string) {
	if st.update != nil {
		st.update(obj, cur, sub)
		return
	}
	to, from := reflect.ValueOf(obj).Elem(), reflect.ValueOf(cur).Elem()
	keep := "Status"
	if sub == "status" {
		keep = "Spec"
	}
	if !to.FieldByName("Status").IsValid() {
		return
	}
	if f := to.FieldByName(keep); f.IsValid() {
		f.Set(from.FieldByName(keep))
	}
	if f := to.FieldByName("Spec"); st.Generation && f.IsValid() && sub != "status" &&
		!apiequality.Semantic.DeepEqual(f.Interface(), from.FieldByName("Spec").Interface()) {
		obj.SetGeneration(cur.GetGeneration() + 1)
	}
}

// Validate checks a new object.
func (st *Strategy) Validate(o Object, namespaced bool) field.ErrorList {
	errs := st.validateMeta(o, namespaced)
	if st.validate != nil {
		errs = append(errs, st.validate(o)...)
	}
	return errs
}

// ValidateMetaUpdate checks the metadata of a changed object.
func (st *Strategy) ValidateMetaUpdate(obj, cur Object, namespaced bool) field.ErrorList {
	errs := st.validateMeta(obj, namespaced)
	return append(errs, apivalidation.ValidateObjectMetaAccessorUpdate(obj, cur, field.NewPath("metadata"))...)
}

// ValidateUpdate checks the rest of a changed object.
func (st *Strategy) ValidateUpdate(obj, cur Object, sub string) field.ErrorList {
	if st.validateUpdate == nil {
		return nil
	}
	return st.validateUpdate(obj, cur, sub)
}

// WarningsOnCreate returns the warnings for the client that created the object.
func (st *Strategy) WarningsOnCreate(o Object) []string {
	if st.warnOnCreate == nil {
		return nil
	}
	return st.warnOnCreate(o)
}

// warnOfName warns about a name that is a DNS subdomain but not a DNS label.
func warnOfName(use string) func(Object) []string {
	return func(o Object) []string {
		msgs := content.IsDNS1123Label(o.GetName())
		if len(msgs) == 0 {
			return nil
		}
		return []string{fmt.Sprintf("metadata.name: %s, which can result in surprising behavior; a DNS label is recommended: %v", use, msgs)}
	}
}

// Equal reports whether a write changes nothing, in which case it causes no event.
func (st *Strategy) Equal(obj, cur Object) bool {
	if st.equal != nil {
		return st.equal(obj, cur)
	}
	return apiequality.Semantic.DeepEqual(obj, cur)
}

// validateMeta checks the metadata that all types have in common.
func (st *Strategy) validateMeta(o Object, namespaced bool) field.ErrorList {
	name := st.name
	if name == nil {
		name = apivalidation.NameIsDNSSubdomain
	}
	return apivalidation.ValidateObjectMetaAccessor(o, namespaced, name, field.NewPath("metadata"))
}

var namespaceStrategy = Strategy{
	name: apivalidation.NameIsDNSLabel,
	defaults: func(o Object) {
		ns := As[*corev1.Namespace](o)
		if ns.Name != "" {
			if ns.Labels == nil {
				ns.Labels = map[string]string{}
			}
			ns.Labels[corev1.LabelMetadataName] = ns.Name
		}
		if ns.Status.Phase == "" {
			ns.Status.Phase = corev1.NamespaceActive
		}
	},
	create: func(o Object) {
		ns := As[*corev1.Namespace](o)
		ns.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
		ns.Status = corev1.NamespaceStatus{Phase: corev1.NamespaceActive}
	},
	update: func(obj, cur Object, sub string) {
		ns, old := As[*corev1.Namespace](obj), As[*corev1.Namespace](cur)
		if sub != "finalize" {
			ns.Spec.Finalizers = old.Spec.Finalizers
		}
		if sub != "status" {
			ns.Status = old.Status
		}
	},
}
