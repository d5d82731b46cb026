package apiserver

import (
	"reflect"
	"regexp"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// object is the type of what the store keeps. An object that is in the store is
// never changed again, only replaced.
type object = registry.Object

// resource describes one API resource, as a REST mapping does.
type resource struct {
	gvr        schema.GroupVersionResource
	gvk        schema.GroupVersionKind
	singular   string
	shortNames []string
	categories []string
	namespaced bool
	hasStatus  bool
	custom     bool // its objects are unstructured, and have no protobuf encoding
	strategy   registry.Strategy
	managers   fieldManagers
}

func (r *resource) groupResource() schema.GroupResource { return r.gvr.GroupResource() }

// newObject returns an empty object of the resource's type.
func (r *resource) newObject() object {
	if r.custom {
		u := &unstructured.Unstructured{}
		u.SetGroupVersionKind(r.gvk)
		return u
	}
	o, err := scheme.Scheme.New(r.gvk)
	if err != nil {
		// The kind was found in this very scheme.
		panic("apiserver: " + err.Error())
	}
	return registry.As[object](o)
}

// clusterScoped are the kinds of the built-in groups that live outside namespaces.
var clusterScoped = map[string]bool{
	"Namespace": true, "Node": true, "PersistentVolume": true, "ComponentStatus": true,
	"ClusterRole": true, "ClusterRoleBinding": true, "PriorityClass": true, "StorageClass": true,
	"VolumeAttachment": true, "VolumeAttributesClass": true, "CSIDriver": true, "CSINode": true,
	"RuntimeClass": true, "IngressClass": true, "IPAddress": true, "ServiceCIDR": true,
	"FlowSchema": true, "PriorityLevelConfiguration": true, "CertificateSigningRequest": true,
	"ClusterTrustBundle": true, "DeviceClass": true, "ResourceSlice": true,
	"MutatingWebhookConfiguration": true, "ValidatingWebhookConfiguration": true,
	"ValidatingAdmissionPolicy": true, "ValidatingAdmissionPolicyBinding": true,
	"MutatingAdmissionPolicy": true, "MutatingAdmissionPolicyBinding": true,
	"SelfSubjectAccessReview": true, "SelfSubjectRulesReview": true, "SubjectAccessReview": true,
	"SelfSubjectReview": true, "TokenReview": true, "StorageVersion": true, "StorageVersionMigration": true,
}

// stableVersion matches the versions that are served: a real server serves others only if it
// is configured to.
var stableVersion = regexp.MustCompile(`^v[0-9]+$`)

// partOfAnother are the kinds that are not a resource: those of a subresource, and those
// that only occur in responses.
var partOfAnother = map[string]bool{
	"Binding": true, "Eviction": true, "Scale": true, "TokenRequest": true, "PodStatusResult": true,
	"RangeAllocation": true, "SerializedReference": true, "ComponentStatus": true,
	"SubjectAccessReview": true, "LocalSubjectAccessReview": true,
	"TokenReview": true, "ImageReview": true, "AdmissionReview": true, "ConversionReview": true,
}

// knownResources maps every resource of client-go's scheme to its kind. It is
// built once: the scheme has some hundreds of kinds.
var knownResources = sync.OnceValue(func() resourceMap {
	known := resourceMap{}
	for gvk := range scheme.Scheme.AllKnownTypes() {
		if !stableVersion.MatchString(gvk.Version) || strings.HasSuffix(gvk.Kind, "List") ||
			strings.HasSuffix(gvk.Kind, "Options") || partOfAnother[gvk.Kind] {
			continue
		}
		o, err := scheme.Scheme.New(gvk)
		if err != nil {
			continue
		}
		if _, ok := o.(object); !ok {
			continue
		}
		plural, _ := meta.UnsafeGuessKindToResource(gvk)
		known[plural] = &resource{
			gvr:        plural,
			gvk:        gvk,
			singular:   strings.ToLower(gvk.Kind),
			shortNames: shortNames[gvk.Kind],
			categories: categoriesOf(gvk.Kind),
			namespaced: !clusterScoped[gvk.Kind],
			hasStatus:  reviews[gvk] == nil && reflect.ValueOf(o).Elem().FieldByName("Status").IsValid(),
			strategy:   registry.StrategyFor(gvk),
		}
	}
	return known
})

// Resources with rules of their own.
var (
	pods           = mustResource(corev1.SchemeGroupVersion, "pods")
	namespaces     = mustResource(corev1.SchemeGroupVersion, "namespaces")
	resourceQuotas = mustResource(corev1.SchemeGroupVersion, "resourcequotas")
)

// mustResource returns a resource of Kubernetes.
func mustResource(gv schema.GroupVersion, name string) *resource {
	r := knownResources()[gv.WithResource(name)]
	if r == nil {
		panic("apiserver: no resource " + name + " in " + gv.String())
	}
	return r
}
