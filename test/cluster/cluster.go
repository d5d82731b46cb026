package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/test/cluster/internal/binaries"
	"github.com/kontinue/kontinue/test/cluster/internal/pki"
	"github.com/kontinue/kontinue/test/cluster/internal/sandbox"
)

// stopLimit bounds the cleanup after a failed Start.
const stopLimit = 30 * time.Second

// Cluster is a running Kubernetes cluster. Its methods are safe for concurrent use.
// Those that stop or start components exclude each other.
type Cluster struct {
	options   Options
	binaries  *binaries.Binaries
	claim     *claim
	sandbox   *sandbox.Sandbox
	authority *pki.Authority
	tokens    map[User]string
	forwarder *forwarder
	probes    *probes
	client    kubernetes.Interface
	witness   *witness

	faults    sync.Mutex // held while components are changed
	mu        sync.Mutex // guards processes
	processes map[Component]*sandbox.Process

	stop    sync.Once
	stopErr error
}

// Start starts a cluster and waits until it can run pods or until ctx is done. After
// it has returned, ctx does not affect the cluster. If it fails, it leaves nothing
// behind, and the error contains the last log lines of the component that failed. The
// programs must have been built, see [Build].
//
// It first removes the remains of clusters in the same StateDir whose owners have
// died.
func Start(ctx context.Context, options Options) (_ *Cluster, err error) {
	options, err = options.complete()
	if err != nil {
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	c := &Cluster{options: options, tokens: newTokens(), processes: map[Component]*sandbox.Process{}}
	defer func() {
		if err != nil {
			cleanup, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
			defer cancel()
			err = errors.Join(fmt.Errorf("start cluster %s: %w", options.Name, err), c.Stop(cleanup))
		}
	}()
	if c.binaries, err = findBinaries(); err != nil {
		return nil, err
	}
	if c.claim, err = newClaim(ctx, options.StateDir, options.Name); err != nil {
		return nil, err
	}
	if c.authority, err = pki.NewAuthority("kontinue-" + options.Name); err != nil {
		return nil, err
	}
	if err := c.writeConfig(); err != nil {
		return nil, err
	}
	c.sandbox, err = sandbox.New(ctx, sandbox.Config{
		Dir:       c.claim.dir,
		Cgroup:    c.claim.cgroup,
		Groups:    []string{controlPlaneGroup, nodeGroup},
		Pause:     c.binaries.Pause,
		Addresses: []string{NodeIP + "/24", serviceIP + "/32"},
	})
	if err != nil {
		return nil, err
	}
	if c.forwarder, err = newForwarder(c.sandbox.DialContext, apiServerAddress); err != nil {
		return nil, err
	}
	if err := c.writeKubeconfigs(); err != nil {
		return nil, err
	}
	if c.probes, err = newProbes(c); err != nil {
		return nil, err
	}
	if c.client, err = kubernetes.NewForConfigAndClient(&rest.Config{
		Host: "https://" + apiServerAddress, QPS: -1,
	}, c.probes.admin); err != nil {
		return nil, err
	}
	if err := c.startComponents(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

// startComponents starts all components in the order of their dependencies, and
// concurrently where possible.
func (c *Cluster) startComponents(ctx context.Context) error {
	began := time.Now()
	progress := func(what string) {
		c.options.Logger.DebugContext(ctx, "starting cluster", slog.String("cluster", c.options.Name), slog.String("done", what), slog.Duration("after", time.Since(began)))
	}
	if err := c.run(Etcd); err != nil {
		return err
	}
	node := !c.options.ControlPlaneOnly
	if node {
		if err := c.run(Containerd); err != nil {
			return err
		}
	}
	if err := c.waitFor(ctx, Etcd); err != nil {
		return err
	}
	if err := c.run(APIServer); err != nil {
		return err
	}
	if node { // while the API server starts
		if err := c.waitFor(ctx, Containerd); err != nil {
			return err
		}
		if err := c.importImages(ctx); err != nil {
			return err
		}
		progress("images imported")
	}
	if err := c.waitFor(ctx, APIServer); err != nil {
		return err
	}
	progress("API server ready")
	for _, component := range c.components() {
		if c.process(component) == nil {
			if err := c.run(component); err != nil {
				return err
			}
		}
	}
	if node {
		if err := c.startWitness(ctx); err != nil {
			return err
		}
	}
	if err := c.waitUsable(ctx); err != nil {
		return err
	}
	progress("ready")
	return nil
}

// importImages loads the image archives into containerd.
func (c *Cluster) importImages(ctx context.Context) error {
	for _, archive := range c.binaries.Images {
		ctr, err := c.sandbox.Run(sandbox.Command{
			Name: "ctr", Group: nodeGroup, Env: c.environment(),
			Args: []string{filepath.Join(c.binaries.Containerd, "ctr"), "--address", containerdSocket,
				"--namespace", "k8s.io", "images", "import", "--local", archive},
			Log: filepath.Join(c.LogDir(), "ctr.log"),
		})
		if err != nil {
			return err
		}
		if err := ctr.Wait(ctx); err != nil {
			return fmt.Errorf("import %s: %w", archive, err)
		}
	}
	return nil
}

// Stop stops the cluster at once, without a grace period for anything that runs in
// it, and removes its files, except those in Options.LogDir. It may be called more
// than once; later calls return the result of the first.
func (c *Cluster) Stop(ctx context.Context) error {
	c.stop.Do(func() { c.stopErr = c.destroy(ctx) })
	return c.stopErr
}

func (c *Cluster) destroy(ctx context.Context) (err error) {
	if c.claim == nil {
		return nil // Start failed before it created anything
	}
	defer c.claim.release()
	if c.witness != nil {
		c.witness.stop()
	}
	if c.probes != nil {
		c.probes.close()
	}
	if c.forwarder != nil {
		c.forwarder.stop()
	}
	if c.sandbox != nil {
		err = c.sandbox.Close(ctx) // removes the directory too
	} else {
		err = sandbox.Sweep(ctx, c.claim.cgroup, c.claim.dir)
	}
	if err != nil {
		return fmt.Errorf("stop cluster %s: %w", c.options.Name, err)
	}
	return nil
}

// Name returns the cluster's name.
func (c *Cluster) Name() string { return c.options.Name }

// Version returns the version of Kubernetes, such as "v1.37.2".
func (c *Cluster) Version() string { return c.binaries.Version }

// LogDir returns the directory with a log file for each component, named after it.
func (c *Cluster) LogDir() string {
	if c.options.LogDir != "" {
		return c.options.LogDir
	}
	return c.path("logs")
}

// CA returns the PEM certificate of the authority that signs the certificates of the
// cluster's servers.
func (c *Cluster) CA() []byte { return c.authority.PEM }

// ServingCertificate returns a certificate, signed by [Cluster.CA], for a server
// inside the cluster's network at [NodeIP], at a loopback address or with one of the
// given names. An admission webhook that listens with [Cluster.ListenInside] needs
// one.
func (c *Cluster) ServingCertificate(names ...string) (tls.Certificate, error) {
	cert, key, err := c.authority.Issue(pki.Certificate{
		User: "test-server", Names: names, IPs: []net.IP{net.ParseIP(NodeIP), net.IPv4(127, 0, 0, 1)},
	})
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(cert, key)
}

// path returns the path of a file in the cluster's state directory.
func (c *Cluster) path(name string) string { return filepath.Join(c.claim.dir, name) }
