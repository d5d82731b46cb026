package apiserver

import (
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	applybatchv1 "k8s.io/client-go/applyconfigurations/batch/v1"
	applycoordinationv1 "k8s.io/client-go/applyconfigurations/coordination/v1"
	applycorev1 "k8s.io/client-go/applyconfigurations/core/v1"
	fakediscovery "k8s.io/client-go/discovery/fake"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	typedauthorizationv1 "k8s.io/client-go/kubernetes/typed/authorization/v1"
	typedbatchv1 "k8s.io/client-go/kubernetes/typed/batch/v1"
	typedcoordinationv1 "k8s.io/client-go/kubernetes/typed/coordination/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	clienttesting "k8s.io/client-go/testing"
)

// Clientset is one user's kubernetes.Interface. The common types have direct
// clients; all others go through the embedded fake clientset, whose only reactors
// are the server.
type Clientset struct {
	*fake.Clientset
	s    *Server
	user string
}

var _ kubernetes.Interface = (*Clientset)(nil)

func newClientset(s *Server, user string) *Clientset {
	f := fake.NewSimpleClientset()
	f.ReactionChain = []clienttesting.Reactor{&serverReactor{s, user}}
	f.WatchReactionChain = []clienttesting.WatchReactor{&serverWatchReactor{s, user}}
	if d, ok := f.Discovery().(*fakediscovery.FakeDiscovery); ok {
		major, rest, _ := strings.Cut(strings.TrimPrefix(s.opts.Version, "v"), ".")
		minor, _, _ := strings.Cut(rest, ".")
		d.FakedServerVersion = &version.Info{Major: major, Minor: minor, GitVersion: s.opts.Version}
	}
	return &Clientset{Clientset: f, s: s, user: user}
}

// IsWatchListSemanticsUnSupported reports whether reflectors must LIST first. The stock
// fake clientset always says true; a wrapper that hides the method says false.
func (c *Clientset) IsWatchListSemanticsUnSupported() bool { return c.s.opts.DisableWatchList }

// BatchV1 returns a client for Jobs that talks to the server directly.
func (c *Clientset) BatchV1() typedbatchv1.BatchV1Interface {
	return batchClient{c.Clientset.BatchV1(), c}
}

// CoreV1 returns a client for the core types; the common ones talk to the server directly.
func (c *Clientset) CoreV1() typedcorev1.CoreV1Interface { return coreClient{c.Clientset.CoreV1(), c} }

// CoordinationV1 returns a client for Leases that talks to the server directly.
func (c *Clientset) CoordinationV1() typedcoordinationv1.CoordinationV1Interface {
	return coordinationClient{c.Clientset.CoordinationV1(), c}
}

// AuthorizationV1 returns a client whose SelfSubjectAccessReviews know the deny rules.
func (c *Clientset) AuthorizationV1() typedauthorizationv1.AuthorizationV1Interface {
	return authorizationClient{c.Clientset.AuthorizationV1(), c}
}

type batchClient struct {
	typedbatchv1.BatchV1Interface
	c *Clientset
}

var jobs = mustResource(batchv1.SchemeGroupVersion, "jobs")

func (b batchClient) Jobs(ns string) typedbatchv1.JobInterface {
	return typedClient[*batchv1.Job, *batchv1.JobList, *applybatchv1.JobApplyConfiguration]{
		b.c, jobs, ns, func(m metav1.ListMeta, items []*batchv1.Job) *batchv1.JobList {
			return &batchv1.JobList{ListMeta: m, Items: values(items)}
		},
	}
}

type coordinationClient struct {
	typedcoordinationv1.CoordinationV1Interface
	c *Clientset
}

var leases = mustResource(coordinationv1.SchemeGroupVersion, "leases")

func (b coordinationClient) Leases(ns string) typedcoordinationv1.LeaseInterface {
	return typedClient[*coordinationv1.Lease, *coordinationv1.LeaseList, *applycoordinationv1.LeaseApplyConfiguration]{
		b.c, leases, ns, func(m metav1.ListMeta, items []*coordinationv1.Lease) *coordinationv1.LeaseList {
			return &coordinationv1.LeaseList{ListMeta: m, Items: values(items)}
		},
	}
}

type authorizationClient struct {
	typedauthorizationv1.AuthorizationV1Interface
	c *Clientset
}

var accessReviews = mustResource(authorizationv1.SchemeGroupVersion, "selfsubjectaccessreviews")

func (b authorizationClient) SelfSubjectAccessReviews() typedauthorizationv1.SelfSubjectAccessReviewInterface {
	return reviewClient{b.c}
}

type coreClient struct {
	typedcorev1.CoreV1Interface
	c *Clientset
}

var (
	pods           = mustResource(corev1.SchemeGroupVersion, "pods")
	configMaps     = mustResource(corev1.SchemeGroupVersion, "configmaps")
	secrets        = mustResource(corev1.SchemeGroupVersion, "secrets")
	nodes          = mustResource(corev1.SchemeGroupVersion, "nodes")
	events         = mustResource(corev1.SchemeGroupVersion, "events")
	resourceQuotas = mustResource(corev1.SchemeGroupVersion, "resourcequotas")
)

func (b coreClient) ConfigMaps(ns string) typedcorev1.ConfigMapInterface {
	return typedClient[*corev1.ConfigMap, *corev1.ConfigMapList, *applycorev1.ConfigMapApplyConfiguration]{
		b.c, configMaps, ns, func(m metav1.ListMeta, items []*corev1.ConfigMap) *corev1.ConfigMapList {
			return &corev1.ConfigMapList{ListMeta: m, Items: values(items)}
		},
	}
}

func (b coreClient) Secrets(ns string) typedcorev1.SecretInterface {
	return typedClient[*corev1.Secret, *corev1.SecretList, *applycorev1.SecretApplyConfiguration]{
		b.c, secrets, ns, func(m metav1.ListMeta, items []*corev1.Secret) *corev1.SecretList {
			return &corev1.SecretList{ListMeta: m, Items: values(items)}
		},
	}
}

func (b coreClient) Nodes() typedcorev1.NodeInterface {
	return nodesClient{typedClient[*corev1.Node, *corev1.NodeList, *applycorev1.NodeApplyConfiguration]{
		b.c, nodes, "", func(m metav1.ListMeta, items []*corev1.Node) *corev1.NodeList {
			return &corev1.NodeList{ListMeta: m, Items: values(items)}
		},
	}}
}

func (b coreClient) ResourceQuotas(ns string) typedcorev1.ResourceQuotaInterface {
	return typedClient[*corev1.ResourceQuota, *corev1.ResourceQuotaList, *applycorev1.ResourceQuotaApplyConfiguration]{
		b.c, resourceQuotas, ns, func(m metav1.ListMeta, items []*corev1.ResourceQuota) *corev1.ResourceQuotaList {
			return &corev1.ResourceQuotaList{ListMeta: m, Items: values(items)}
		},
	}
}

func (b coreClient) Namespaces() typedcorev1.NamespaceInterface {
	return namespacesClient{typedClient[*corev1.Namespace, *corev1.NamespaceList, *applycorev1.NamespaceApplyConfiguration]{
		b.c, namespaces, "", func(m metav1.ListMeta, items []*corev1.Namespace) *corev1.NamespaceList {
			return &corev1.NamespaceList{ListMeta: m, Items: values(items)}
		},
	}}
}

func (b coreClient) Events(ns string) typedcorev1.EventInterface {
	return eventsClient{
		b.CoreV1Interface.Events(ns),
		typedClient[*corev1.Event, *corev1.EventList, *applycorev1.EventApplyConfiguration]{
			b.c, events, ns, func(m metav1.ListMeta, items []*corev1.Event) *corev1.EventList {
				return &corev1.EventList{ListMeta: m, Items: values(items)}
			},
		},
	}
}

func (b coreClient) Pods(ns string) typedcorev1.PodInterface {
	return podsClient{typedClient[*corev1.Pod, *corev1.PodList, *applycorev1.PodApplyConfiguration]{
		b.c, pods, ns, func(m metav1.ListMeta, items []*corev1.Pod) *corev1.PodList {
			return &corev1.PodList{ListMeta: m, Items: values(items)}
		},
	}}
}
