package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/scenarios"
	"github.com/kontinue/kontinue/test/cluster"
)

// account is the name of the ServiceAccount in deploy/rbac.yaml.
const account = "kontinue-worker"

// realBackend is the shared cluster as a backend of the scenarios.
type realBackend struct{ role *rbacv1.Role }

func (realBackend) Name() string { return scenarios.Real }

func (realBackend) Version() string { return shared.version }

func (realBackend) Lacks(c scenarios.Capability) string {
	if shared.own != nil {
		return ""
	}
	return map[scenarios.Capability]string{
		scenarios.Webhooks:     "the API server of the KUBECONFIG cluster cannot reach a webhook in this process",
		scenarios.NodeLoss:     "the nodes of the KUBECONFIG cluster are not for a test to kill",
		scenarios.NodeCapacity: "the nodes of the KUBECONFIG cluster may have pods of others",
		scenarios.Queues:       "the KUBECONFIG cluster may have a Kueue of its own",
		scenarios.LongLogs:     "the kubelet rotates logs at 10 MiB by default, and only reads the newest file",
	}[c]
}

func (r realBackend) Run(t *testing.T, needs []scenarios.Capability, _ bool, play func(t *testing.T, c scenarios.Cluster)) {
	t.Helper()
	c := &realCluster{config: shared.admin, role: r.role}
	if slices.Contains(needs, scenarios.NodeLoss) {
		c.node = startNode(t)
		c.config = c.node.RESTConfig(cluster.Admin)
	}
	var err error
	if c.admin, err = kubernetes.NewForConfig(c.config); err != nil {
		t.Fatal(err)
	}
	play(t, c)
}

type realCluster struct {
	config *rest.Config // of an administrator
	admin  kubernetes.Interface
	role   *rbacv1.Role
	node   *cluster.Cluster // that of a scenario that kills its node
}

func (c *realCluster) Admin() kubernetes.Interface { return c.admin }

func (c *realCluster) Image() string { return shared.image }

func (c *realCluster) Play(string, map[string]containers.Script) {}

// CreateNamespace waits for the ServiceAccount "default" and the ConfigMap with the
// root certificate, without which no pod is admitted or started.
func (c *realCluster) CreateNamespace(ctx context.Context, t *testing.T, name string, labels map[string]string) error {
	t.Helper()
	_, err := c.admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	t.Cleanup(func() {
		err := c.admin.CoreV1().Namespaces().Delete(context.Background(), name, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			t.Error(err)
		}
	})
	return eventually(ctx, "default service account", func(ctx context.Context) error {
		_, err := c.admin.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		if err == nil {
			_, err = c.admin.CoreV1().ConfigMaps(name).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		}
		return err
	})
}

// Worker creates the ServiceAccount, Role and RoleBinding of deploy/rbac.yaml, and
// returns a configuration with a token of the account.
func (c *realCluster) Worker(ctx context.Context, namespace string, without *scenarios.Right) (kontinue.Config, error) {
	config := kontinue.Config{Namespace: namespace}
	_, err := c.admin.CoreV1().ServiceAccounts(namespace).Create(ctx, &corev1.ServiceAccount{
		ObjectMeta: metav1.ObjectMeta{Name: account},
	}, metav1.CreateOptions{})
	if err != nil {
		return config, err
	}
	role, err := c.admin.RbacV1().Roles(namespace).Create(ctx, &rbacv1.Role{
		ObjectMeta: metav1.ObjectMeta{Name: c.role.Name}, Rules: scenarios.Without(c.role, without),
	}, metav1.CreateOptions{})
	if err != nil {
		return config, err
	}
	_, err = c.admin.RbacV1().RoleBindings(namespace).Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: account},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: account, Namespace: namespace}},
	}, metav1.CreateOptions{})
	if err != nil {
		return config, err
	}
	config.RESTConfig, err = c.login(ctx, namespace)
	if err != nil {
		return config, err
	}
	return config, c.bound(ctx, config.RESTConfig, namespace)
}

// login returns a configuration with a token of the account in a namespace.
func (c *realCluster) login(ctx context.Context, namespace string) (*rest.Config, error) {
	token, err := c.admin.CoreV1().ServiceAccounts(namespace).CreateToken(ctx, account, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return nil, err
	}
	config := rest.AnonymousClientConfig(c.config)
	config.BearerToken, config.QPS = token.Status.Token, 0
	return config, nil
}

// bound waits until the new bindings are in effect. An empty namespace stands for all.
func (c *realCluster) bound(ctx context.Context, config *rest.Config, namespaces ...string) error {
	worker, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	return eventually(ctx, "role binding", func(ctx context.Context) error {
		for _, namespace := range namespaces {
			// Some test removes either of these rights, but none removes both.
			_, err := worker.BatchV1().Jobs(namespace).List(ctx, metav1.ListOptions{Limit: 1})
			if err != nil {
				_, err = worker.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{Limit: 1})
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// eventually polls until check returns nil.
func eventually(ctx context.Context, what string, check func(ctx context.Context) error) error {
	var last error
	err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		last = check(ctx)
		return last == nil, nil
	})
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, err, last)
	}
	return nil
}
