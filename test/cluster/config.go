package cluster

import (
	"encoding/json"
	"fmt"
	"net"
	"os"

	"github.com/kontinue/kontinue/test/cluster/internal/pki"
)

// writeConfig writes all files that the components read.
func (c *Cluster) writeConfig() error {
	for _, dir := range []string{c.path("tmp"), c.path("cni"), c.path("registries/_default"), c.LogDir()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if err := c.writeKeys(); err != nil {
		return fmt.Errorf("write keys: %w", err)
	}
	for component, user := range map[Component]User{
		ControllerManager: controllerManagerUser, Scheduler: schedulerUser, Kubelet: nodeUser,
	} {
		path := c.path(string(component) + ".kubeconfig")
		err := writeKubeconfig(path, "https://"+apiServerAddress, c.options.Name, c.authority.PEM, user, c.tokens[user])
		if err != nil {
			return err
		}
	}
	files := map[string]any{
		"audit-policy.json": auditPolicy,
		"scheduler.json":    c.schedulerConfig(),
		"kubelet.json":      c.kubeletConfig(),
		"cni/pods.conflist": cniConfig,
		"containerd.toml":   c.containerdConfig(),
		"tokens.csv":        tokenFile(c.tokens),
		// A registry that a test serves is trusted like the API server.
		"registries/_default/hosts.toml": fmt.Appendf(nil, "ca = %q\n", c.path("ca.crt")),
	}
	for name, content := range files {
		data, raw := content.([]byte)
		if !raw {
			var err error
			if data, err = json.MarshalIndent(content, "", "  "); err != nil {
				return fmt.Errorf("write %s: %w", name, err)
			}
		}
		if err := os.WriteFile(c.path(name), data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) writeKeys() error {
	if err := os.WriteFile(c.path("ca.crt"), c.authority.PEM, 0o644); err != nil {
		return err
	}
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.path("service-account.key"), key, 0o600); err != nil {
		return err
	}
	loopback, node := net.IPv4(127, 0, 0, 1), net.ParseIP(NodeIP)
	certificates := map[string]pki.Certificate{
		"kube-apiserver": {
			User: "kube-apiserver", IPs: []net.IP{loopback, node, net.ParseIP(serviceIP)},
			Names: []string{"localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"},
		},
		"kubelet":        {User: string(nodeUser), Groups: []string{userGroups[nodeUser]}, IPs: []net.IP{loopback, node}},
		"kubelet-client": {User: "kube-apiserver-kubelet-client"},
	}
	for name, certificate := range certificates {
		if err := c.authority.WriteFiles(c.path(name), certificate); err != nil {
			return err
		}
	}
	return nil
}

var auditPolicy = map[string]any{
	"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
	"omitStages": []string{"RequestReceived", "ResponseStarted"},
	"rules":      []any{map[string]any{"level": "Metadata"}},
}

// cniConfig connects each pod to the node with a veth pair.
var cniConfig = map[string]any{
	"cniVersion": "1.0.0", "name": "pods",
	"plugins": []any{map[string]any{
		"type": "ptp",
		"ipam": map[string]any{
			"type":    "host-local",
			"ranges":  []any{[]any{map[string]any{"subnet": podRange}}},
			"routes":  []any{map[string]any{"dst": "0.0.0.0/0"}},
			"dataDir": "/run/cni",
		},
	}},
}

func (c *Cluster) schedulerConfig() map[string]any {
	return map[string]any{
		"apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
		"clientConnection": map[string]any{"kubeconfig": c.path("kube-scheduler.kubeconfig"), "qps": 1000, "burst": 2000},
		"leaderElection":   map[string]any{"leaderElect": false},
	}
}

// kubeletConfig returns the kubelet's configuration. Comments say why it differs from
// that of a production node.
func (c *Cluster) kubeletConfig() map[string]any {
	config := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": false},
			"x509":      map[string]any{"clientCAFile": c.path("ca.crt")},
		},
		"authorization":            map[string]any{"mode": "AlwaysAllow"},
		"tlsCertFile":              c.path("kubelet.crt"),
		"tlsPrivateKeyFile":        c.path("kubelet.key"),
		"podLogsDir":               c.path("pod-logs"),
		"volumePluginDir":          c.path("volume-plugins"),
		"resolvConf":               c.path("resolv.conf"),
		"maxPods":                  250,
		"serializeImagePulls":      false,
		"nodeLeaseDurationSeconds": c.leaseSeconds(),
		// Build machines may have v1 or hybrid cgroups, without systemd.
		"failCgroupV1":           false,
		"cgroupDriver":           "cgroupfs",
		"cgroupsPerQOS":          false,
		"enforceNodeAllocatable": []string{},
		"failSwapOn":             false,
		// A full disk or image list of the machine must not evict pods.
		"localStorageCapacityIsolation": false,
		"evictionHard":                  map[string]string{"memory.available": "0%", "nodefs.available": "0%", "imagefs.available": "0%", "nodefs.inodesFree": "0%"},
		"imageGCHighThresholdPercent":   100,
		// Without Services there is no need for iptables.
		"makeIPTablesUtilChains": false,
	}
	c.knownFields(Kubelet, config)
	if c.options.KubeletConfig != nil {
		c.options.KubeletConfig(config)
	}
	return config
}

// containerdConfig returns only what differs from containerd's defaults.
func (c *Cluster) containerdConfig() []byte {
	return fmt.Appendf(nil, `version = 3
root = "/var/lib/containerd"
state = "/run/containerd"
# These would create directories in /opt on the host.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.image-verifier.v1.bindir"]

[grpc]
  address = %q

[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = %q

[plugins."io.containerd.cri.v1.images".registry]
  config_path = %q

[plugins."io.containerd.cri.v1.runtime"]
  # Without CAP_SYS_RESOURCE a process cannot set a score below its parent's, so
  # every container would fail to start.
  restrict_oom_score_adj = true
  cdi_spec_dirs = []
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [%q]
    conf_dir = %q
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      BinaryName = %q
      SystemdCgroup = false
`, containerdSocket, pauseImage, c.path("registries"), c.binaries.CNI, c.path("cni"), c.binaries.Runc)
}
