package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/test/cluster/internal/sandbox"
)

// probeTimeout bounds a single request, so that a frozen server cannot stall a wait.
const probeTimeout = 5 * time.Second

// probes are the HTTP clients that readiness checks and etcd calls use.
type probes struct {
	admin *http.Client // as Admin, verifies the API server
	plain *http.Client // for health endpoints with self-signed certificates
}

func newProbes(c *Cluster) (*probes, error) {
	admin, err := rest.HTTPClientFor(c.RESTConfig(Admin))
	if err != nil {
		return nil, err
	}
	return &probes{
		admin: admin,
		plain: &http.Client{Transport: &http.Transport{
			DialContext:     c.sandbox.DialContext,
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // on the cluster's loopback
		}},
	}, nil
}

func (p *probes) close() {
	p.admin.CloseIdleConnections()
	p.plain.CloseIdleConnections()
}

// healthy returns an error unless a health endpoint responds with 200.
func healthy(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", url, response.Status, strings.TrimSpace(string(body)))
	}
	return nil
}

// check returns an error unless a component serves.
func (c *Cluster) check(ctx context.Context, component Component) error {
	switch component {
	case Etcd:
		return healthy(ctx, c.probes.plain, "http://"+etcdAddress+"/health")
	case APIServer:
		return healthy(ctx, c.probes.admin, "https://"+apiServerAddress+"/readyz")
	case ControllerManager:
		return healthy(ctx, c.probes.plain, "https://127.0.0.1:10257/healthz")
	case Scheduler:
		return healthy(ctx, c.probes.plain, "https://127.0.0.1:10259/healthz") // readyz is newer than 1.30
	case Kubelet:
		return healthy(ctx, c.probes.plain, "http://127.0.0.1:10248/healthz")
	case Containerd:
		// The socket is in a mount namespace that is only reachable through /proc.
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", c.sandbox.Root()+containerdSocket)
		if err != nil {
			return err
		}
		return conn.Close()
	}
	return fmt.Errorf("unknown component %q", component)
}

// waitFor waits until a component serves.
func (c *Cluster) waitFor(ctx context.Context, component Component) error {
	err := c.waitUntil(ctx, func(ctx context.Context) error { return c.check(ctx, component) })
	if err != nil {
		return fmt.Errorf("wait for %s: %w", component, err)
	}
	return nil
}

// waitUntil polls check, and gives up at once if a component has ended unexpectedly.
func (c *Cluster) waitUntil(ctx context.Context, check func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	return poll(ctx, func() error {
		c.mu.Lock()
		processes := make([]*sandbox.Process, 0, len(c.processes))
		for _, process := range c.processes {
			processes = append(processes, process)
		}
		c.mu.Unlock()
		for _, process := range processes {
			if err := process.Err(); err != nil {
				cancel(err)
				return errComponentEnded
			}
		}
		return check(ctx)
	})
}

var errComponentEnded = errors.New("a component ended")

// waitUsable waits until the cluster can run Jobs, or accept them if it has no node.
func (c *Cluster) waitUsable(ctx context.Context) error {
	for _, component := range c.components() {
		if err := c.waitFor(ctx, component); err != nil {
			return err
		}
	}
	if err := c.waitNamespace(ctx, metav1.NamespaceDefault); err != nil {
		return err
	}
	if c.options.ControlPlaneOnly {
		return nil
	}
	return c.waitNode(ctx)
}

// waitNode waits until the node is schedulable.
func (c *Cluster) waitNode(ctx context.Context) error {
	err := c.waitUntil(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		node, err := c.client.CoreV1().Nodes().Get(ctx, NodeName, metav1.GetOptions{})
		if err != nil {
			return err
		}
		if len(node.Spec.Taints) > 0 {
			return fmt.Errorf("node has taints %v", node.Spec.Taints)
		}
		for _, condition := range node.Status.Conditions {
			if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
				return nil
			}
		}
		return fmt.Errorf("node is not ready: %v", node.Status.Conditions)
	})
	if err != nil {
		return fmt.Errorf("wait for node: %w", err)
	}
	return nil
}

// CreateNamespace creates a namespace and waits until pods can be created in it.
// Controllers must first create the "default" ServiceAccount and the ConfigMap with the
// root certificate. Otherwise the API server rejects the pods, or the kubelet delays
// them.
func (c *Cluster) CreateNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	_, err := c.client.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("create namespace: %w", err)
	}
	return c.waitNamespace(ctx, name)
}

func (c *Cluster) waitNamespace(ctx context.Context, name string) error {
	err := c.waitUntil(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, probeTimeout)
		defer cancel()
		_, err := c.client.CoreV1().ServiceAccounts(name).Get(ctx, "default", metav1.GetOptions{})
		if err != nil {
			return err
		}
		_, err = c.client.CoreV1().ConfigMaps(name).Get(ctx, "kube-root-ca.crt", metav1.GetOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("wait for namespace %s: %w", name, err)
	}
	return nil
}
