package cluster

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/kontinue/kontinue/test/cluster/internal/sandbox"
)

// Component is one server program of a cluster.
type Component string

// The components, in the order in which they start.
const (
	Etcd              Component = "etcd"
	Containerd        Component = "containerd"
	APIServer         Component = "kube-apiserver"
	ControllerManager Component = "kube-controller-manager"
	Scheduler         Component = "kube-scheduler"
	Kubelet           Component = "kubelet"
)

// Constants of every cluster. The addresses exist only inside its own network.
const (
	// NodeName is the name of the Node object.
	NodeName = "kontinue-node"
	// NodeIP is the node's address. The API server listens on it, too.
	NodeIP = "10.88.0.1"

	// The first address of the service range belongs to the "kubernetes"
	// Service. There is no kube-proxy to translate it, so the node has it and
	// the API server listens on its port: clients inside pods work.
	serviceIP        = "10.96.0.1"
	serviceRange     = "10.96.0.0/16"
	podRange         = "10.244.0.0/16"
	apiServerPort    = "443"
	apiServerAddress = "127.0.0.1:" + apiServerPort
	etcdAddress      = "127.0.0.1:2379"

	containerdSocket = "/run/containerd/containerd.sock"

	controlPlaneGroup = "control-plane"
	nodeGroup         = "node"
)

// controllers are those that Jobs, their pods, namespaces, quotas, tokens and the
// loss of a node need. Others are off, to save memory.
var controllers = []string{
	"job-controller",
	"cronjob-controller",
	"garbage-collector-controller",
	"ttl-after-finished-controller",
	"namespace-controller",
	"pod-garbage-collector-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"root-ca-certificate-publisher-controller",
	"clusterrole-aggregation-controller",
	"node-lifecycle-controller",
	"taint-eviction-controller",
	"disruption-controller",
	"resourcequota-controller",
}

// components returns the components of this cluster in the order in which they start.
func (c *Cluster) components() []Component {
	if c.options.ControlPlaneOnly {
		return []Component{Etcd, APIServer, ControllerManager}
	}
	return []Component{Etcd, Containerd, APIServer, ControllerManager, Scheduler, Kubelet}
}

// command returns the command that runs a component inside the sandbox.
func (c *Cluster) command(component Component) sandbox.Command {
	directory, group := c.binaries.Kubernetes, controlPlaneGroup
	switch component {
	case Containerd:
		directory, group = c.binaries.Containerd, nodeGroup
	case Kubelet:
		group = nodeGroup
	}
	args := []string{filepath.Join(directory, string(component))}
	args = append(args, c.known(component, c.arguments(component))...)
	args = append(args, c.options.ExtraArgs[component]...)
	return sandbox.Command{
		Name: string(component), Group: group, Args: args, Env: c.environment(),
		Log: filepath.Join(c.LogDir(), string(component)+".log"),
	}
}

// environment returns the environment of the components, which has nothing of the
// caller's.
func (c *Cluster) environment() []string {
	return []string{
		"PATH=" + strings.Join([]string{c.binaries.Containerd, "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"}, ":"),
		"HOME=" + c.claim.dir,
		"TMPDIR=" + c.path("tmp"),
	}
}

func (c *Cluster) arguments(component Component) []string {
	switch component {
	case Etcd:
		return []string{
			"--name=etcd",
			"--data-dir=" + c.path("etcd"),
			"--listen-client-urls=http://" + etcdAddress,
			"--advertise-client-urls=http://" + etcdAddress,
			"--listen-peer-urls=http://127.0.0.1:2380",
			"--initial-advertise-peer-urls=http://127.0.0.1:2380",
			"--initial-cluster=etcd=http://127.0.0.1:2380",
			"--unsafe-no-fsync", // the data need not survive the test
			"--log-level=warn",
		}
	case Containerd:
		return []string{"--config=" + c.path("containerd.toml")}
	case APIServer:
		return c.apiServerArguments()
	case ControllerManager:
		return []string{
			"--kubeconfig=" + c.path("kube-controller-manager.kubeconfig"),
			"--bind-address=127.0.0.1",
			"--cert-dir=" + c.path("kube-controller-manager"),
			"--leader-elect=false",
			"--controllers=" + strings.Join(c.known(ControllerManager, controllers), ","),
			"--use-service-account-credentials",
			"--service-account-private-key-file=" + c.path("service-account.key"),
			"--root-ca-file=" + c.path("ca.crt"),
			"--node-monitor-period=" + (c.options.NodeMonitorGracePeriod / 10).String(),
			"--node-monitor-grace-period=" + c.options.NodeMonitorGracePeriod.String(),
			// With the defaults (20 requests a second, 5 Jobs at once), the Job
			// controller would be the bottleneck of a load test.
			"--kube-api-qps=2000", "--kube-api-burst=4000", "--concurrent-job-syncs=20",
		}
	case Scheduler:
		return []string{"--config=" + c.path("scheduler.json"), "--bind-address=127.0.0.1"}
	case Kubelet:
		return []string{
			"--config=" + c.path("kubelet.json"),
			"--kubeconfig=" + c.path("kubelet.kubeconfig"),
			"--hostname-override=" + NodeName,
			"--node-ip=" + NodeIP,
		}
	}
	panic("unknown component " + component)
}

func (c *Cluster) apiServerArguments() []string {
	toleration := fmt.Sprint(int(c.options.EvictionDelay / time.Second))
	args := []string{
		"--etcd-servers=http://" + etcdAddress,
		"--bind-address=0.0.0.0", "--secure-port=" + apiServerPort, // in the cluster's own network
		"--advertise-address=" + NodeIP,
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=" + serviceRange,
		"--client-ca-file=" + c.path("ca.crt"),
		"--tls-cert-file=" + c.path("kube-apiserver.crt"),
		"--tls-private-key-file=" + c.path("kube-apiserver.key"),
		"--token-auth-file=" + c.path("tokens.csv"),
		"--authorization-mode=Node,RBAC",
		// Added to the default plugins, which include ServiceAccount,
		// ResourceQuota, LimitRanger, PodSecurity and the webhooks.
		"--enable-admission-plugins=NodeRestriction",
		"--default-not-ready-toleration-seconds=" + toleration,
		"--default-unreachable-toleration-seconds=" + toleration,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-signing-key-file=" + c.path("service-account.key"),
		"--service-account-key-file=" + c.path("service-account.key"),
		"--kubelet-client-certificate=" + c.path("kubelet-client.crt"),
		"--kubelet-client-key=" + c.path("kubelet-client.key"),
		"--kubelet-certificate-authority=" + c.path("ca.crt"),
		// A host name would need a resolver.
		"--kubelet-preferred-address-types=InternalIP",
		"--allow-privileged",
		// On SIGTERM, end watches instead of waiting a minute for them to end.
		"--shutdown-watch-termination-grace-period=2s",
	}
	if c.options.Audit {
		args = append(args,
			"--audit-policy-file="+c.path("audit-policy.json"),
			"--audit-log-path="+filepath.Join(c.LogDir(), "audit.log"))
	}
	return args
}
