package cluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"syscall"

	"github.com/kontinue/kontinue/test/cluster/internal/sandbox"
)

// process returns a component's process, or nil if it was not started or was killed.
func (c *Cluster) process(component Component) *sandbox.Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.processes[component]
}

func (c *Cluster) setProcess(component Component, process *sandbox.Process) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if process == nil {
		delete(c.processes, component)
	} else {
		c.processes[component] = process
	}
}

// run starts a component and does not wait until it serves.
func (c *Cluster) run(component Component) error {
	process, err := c.sandbox.Run(c.command(component))
	if err != nil {
		return err
	}
	c.setProcess(component, process)
	return nil
}

// running returns the process of a component, or an error if it is not running.
func (c *Cluster) running(component Component) (*sandbox.Process, error) {
	process := c.process(component)
	if process == nil || !process.Running() {
		return nil, fmt.Errorf("%s is not running", component)
	}
	return process, nil
}

// Pid returns a component's process ID on the host, or 0 if it is not running.
func (c *Cluster) Pid(component Component) int {
	process, err := c.running(component)
	if err != nil {
		return 0
	}
	return process.Pid()
}

// Kill ends a component as a crash would (SIGKILL) and waits until it is gone. It
// stays down until [Cluster.Restart]. Containers outlive kubelet and containerd. To
// kill the whole node, use [Cluster.KillNode].
func (c *Cluster) Kill(ctx context.Context, component Component) error {
	return c.end(ctx, component, syscall.SIGKILL)
}

// Terminate ends a component as an upgrade would (SIGTERM) and waits until it is gone.
// kube-apiserver first finishes its requests, ends watches and sends GOAWAY to HTTP/2
// clients, which takes a few seconds.
func (c *Cluster) Terminate(ctx context.Context, component Component) error {
	return c.end(ctx, component, syscall.SIGTERM)
}

func (c *Cluster) end(ctx context.Context, component Component, sig syscall.Signal) error {
	c.faults.Lock()
	defer c.faults.Unlock()
	return c.endLocked(ctx, component, sig)
}

func (c *Cluster) endLocked(ctx context.Context, component Component, sig syscall.Signal) error {
	process, err := c.running(component)
	if err != nil {
		return err
	}
	// A component that is meant to end must not fail concurrent waits for others.
	c.setProcess(component, nil)
	if err := process.Signal(sig); err != nil {
		return err
	}
	select {
	case <-process.Done():
		return nil
	case <-ctx.Done():
		c.setProcess(component, process)
		return fmt.Errorf("%s did not exit: %w", component, context.Cause(ctx))
	}
}

// Restart starts a component and waits until it serves. One that is running is killed
// first.
func (c *Cluster) Restart(ctx context.Context, component Component) error {
	c.faults.Lock()
	defer c.faults.Unlock()
	if process := c.process(component); process != nil && process.Running() {
		if err := c.endLocked(ctx, component, syscall.SIGKILL); err != nil {
			return err
		}
	}
	if err := c.run(component); err != nil {
		return err
	}
	return c.waitFor(ctx, component)
}

// Pause freezes a component (SIGSTOP): its connections stay open but do not respond.
func (c *Cluster) Pause(component Component) error {
	return c.signal(component, syscall.SIGSTOP)
}

// Resume resumes a frozen component (SIGCONT).
func (c *Cluster) Resume(component Component) error {
	return c.signal(component, syscall.SIGCONT)
}

func (c *Cluster) signal(component Component, sig syscall.Signal) error {
	c.faults.Lock()
	defer c.faults.Unlock()
	process, err := c.running(component)
	if err != nil {
		return err
	}
	return process.Signal(sig)
}

// KillNode kills kubelet, containerd and all containers at once, like a machine that
// loses power. The Node object stays. The control plane notices after
// Options.NodeMonitorGracePeriod.
func (c *Cluster) KillNode(ctx context.Context) error {
	c.faults.Lock()
	defer c.faults.Unlock()
	if c.options.ControlPlaneOnly {
		return errNoNode
	}
	c.setProcess(Kubelet, nil)
	c.setProcess(Containerd, nil)
	if err := c.sandbox.Kill(ctx, controlPlaneGroup); err != nil {
		return fmt.Errorf("kill node: %w", err)
	}
	return nil
}

// PauseNode freezes kubelet, containerd and all containers, like a machine that hangs
// or is disconnected.
func (c *Cluster) PauseNode() error { return c.signalNode(syscall.SIGSTOP) }

// ResumeNode resumes a frozen node.
func (c *Cluster) ResumeNode() error { return c.signalNode(syscall.SIGCONT) }

func (c *Cluster) signalNode(sig syscall.Signal) error {
	c.faults.Lock()
	defer c.faults.Unlock()
	if c.options.ControlPlaneOnly {
		return errNoNode
	}
	if _, err := c.sandbox.Signal(sig, controlPlaneGroup); err != nil {
		return fmt.Errorf("signal node: %w", err)
	}
	return nil
}

// RestartNode starts containerd and kubelet after [Cluster.KillNode] and waits until
// the node is ready, as after a reboot. The containers that were running are dead.
func (c *Cluster) RestartNode(ctx context.Context) error {
	c.faults.Lock()
	defer c.faults.Unlock()
	if c.options.ControlPlaneOnly {
		return errNoNode
	}
	for _, component := range []Component{Containerd, Kubelet} {
		if process := c.process(component); process != nil && process.Running() {
			return fmt.Errorf("%s is running: kill the node first", component)
		}
		if err := c.run(component); err != nil {
			return err
		}
		if err := c.waitFor(ctx, component); err != nil {
			return err
		}
	}
	return c.waitNode(ctx)
}

var errNoNode = fmt.Errorf("the cluster has no node (ControlPlaneOnly)")

// CompactEtcd drops the history of all objects, as the API server does every five
// minutes. A watch or list that continues from an older resource version then fails
// with 410 Gone, unless the API server can serve it from its watch cache. To empty
// that as well, [Cluster.Restart] the API server afterwards.
func (c *Cluster) CompactEtcd(ctx context.Context) error {
	var current struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	if err := c.etcd(ctx, "/v3/maintenance/status", map[string]any{}, &current); err != nil {
		return err
	}
	request := map[string]any{"revision": current.Header.Revision, "physical": true}
	return c.etcd(ctx, "/v3/kv/compaction", request, &struct{}{})
}

// etcd calls one of etcd's gRPC methods through its JSON gateway.
func (c *Cluster) etcd(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+etcdAddress+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := c.probes.plain.Do(request)
	if err != nil {
		return fmt.Errorf("etcd %s: %w", path, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("etcd %s: %s", path, response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("etcd %s: %w", path, err)
	}
	return nil
}
