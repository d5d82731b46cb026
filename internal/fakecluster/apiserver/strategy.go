package apiserver

import (
	"reflect"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/validate/content"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// strategy is what the API server does differently from type to type. Nil functions
// are for types that clients of this package only store and read.
type strategy struct {
	generation bool // metadata.generation is kept
	requireRV  bool // an update must name the resource version
	orphans    bool // deletion orphans dependents by default
	noGC       bool // deletion has no propagation policy
	name       apivalidation.ValidateNameFunc

	defaults   func(obj object)
	onCreate   func(obj object)
	onUpdate   func(obj, cur object, sub string)
	validate   func(obj object) field.ErrorList
	revalidate func(obj, cur object, sub string) field.ErrorList
	truncate   func(obj object) // times lose what the wire format does not carry
	equal      func(obj, cur object) bool
}

func strategyFor(gvk schema.GroupVersionKind) strategy {
	switch gvk {
	case batchv1.SchemeGroupVersion.WithKind("Job"):
		return jobStrategy
	case corev1.SchemeGroupVersion.WithKind("Pod"):
		return podStrategy
	case corev1.SchemeGroupVersion.WithKind("Namespace"):
		return namespaceStrategy
	}
	st := strategy{name: pathSegmentName}
	switch gvk.Group {
	case "apps", "batch", "policy":
		st.generation = true
	case "coordination.k8s.io":
		st.requireRV = true
	}
	st.noGC = gvk.Kind == "Event"
	return st
}

// pathSegmentName accepts every name that can stand in a URL.
func pathSegmentName(name string, _ bool) []string {
	return content.IsPathSegmentName(name)
}

func (st *strategy) setDefaults(o object) {
	if st.defaults != nil {
		st.defaults(o)
	}
}

func (st *strategy) beforeCreate(o object) {
	if st.onCreate != nil {
		st.onCreate(o)
	}
}

// beforeUpdate keeps the main resource and the status subresource apart.
func (st *strategy) beforeUpdate(obj, cur object, sub string) {
	if st.onUpdate != nil {
		st.onUpdate(obj, cur, sub)
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
	if f := to.FieldByName("Spec"); st.generation && f.IsValid() && sub != "status" &&
		!apiequality.Semantic.DeepEqual(f.Interface(), from.FieldByName("Spec").Interface()) {
		obj.SetGeneration(cur.GetGeneration() + 1)
	}
}

func (st *strategy) checkCreate(o object) field.ErrorList {
	if st.validate == nil {
		return nil
	}
	return st.validate(o)
}

func (st *strategy) checkUpdate(obj, cur object, sub string) field.ErrorList {
	if st.revalidate == nil {
		return nil
	}
	return st.revalidate(obj, cur, sub)
}

func (st *strategy) trim(o object) {
	if st.truncate != nil {
		st.truncate(o)
	}
}

// same reports that a write changes nothing; then it makes no event either.
func (st *strategy) same(obj, cur object) bool {
	if st.equal != nil {
		return st.equal(obj, cur)
	}
	return apiequality.Semantic.DeepEqual(obj, cur)
}

// validateMeta checks what all types have in common.
func validateMeta(o object, r *resource) field.ErrorList {
	name := r.strategy.name
	if name == nil {
		name = apivalidation.NameIsDNSSubdomain
	}
	return apivalidation.ValidateObjectMetaAccessor(o, r.namespaced, name, field.NewPath("metadata"))
}

var namespaceStrategy = strategy{
	name: apivalidation.NameIsDNSLabel,
	defaults: func(o object) {
		ns := as[*corev1.Namespace](o)
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
	onCreate: func(o object) {
		ns := as[*corev1.Namespace](o)
		ns.Spec.Finalizers = []corev1.FinalizerName{corev1.FinalizerKubernetes}
		ns.Status = corev1.NamespaceStatus{Phase: corev1.NamespaceActive}
	},
	onUpdate: func(obj, cur object, sub string) {
		ns, old := as[*corev1.Namespace](obj), as[*corev1.Namespace](cur)
		if sub != "finalize" {
			ns.Spec.Finalizers = old.Spec.Finalizers
		}
		if sub != "status" {
			ns.Status = old.Status
		}
	},
}
