package testbed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/scenarios"
	"github.com/kontinue/kontinue/test/chaos/internal/history"
	"github.com/kontinue/kontinue/test/cluster"
)

const (
	// StartLimit bounds the start of a cluster, and stopLimit its stop. Both leave room
	// for a busy machine.
	StartLimit = 5 * time.Minute
	stopLimit  = time.Minute
)

// Options configure [Start].
type Options struct {
	// Script returns the script of a pod that belongs to the given run of its step.
	Script func(pod *corev1.Pod, run int) Script
	// Audit makes the API server write an audit log, see [cluster.Options].
	Audit bool
	// LogDir is the directory for the log files of the control plane. Default: Stop
	// removes them.
	LogDir string
	// Progress gets the cluster's log.
	Progress io.Writer
}

// Testbed is a running control plane with a simulated kubelet.
type Testbed struct {
	Cluster *cluster.Cluster
	// Client has all permissions.
	Client  kubernetes.Interface
	History *history.History

	kubelet     *Kubelet
	stopKubelet context.CancelFunc
}

// Start starts a control plane. Call Stop to end it.
func Start(ctx context.Context, o Options) (_ *Testbed, err error) {
	start, cancel := context.WithTimeout(ctx, StartLimit)
	defer cancel()
	t := &Testbed{}
	t.Cluster, err = cluster.Start(start, cluster.Options{
		ControlPlaneOnly: true, Audit: o.Audit, LogDir: o.LogDir,
		Logger: slog.New(slog.NewTextHandler(o.Progress, nil)),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Stop())
		}
	}()
	if t.Client, err = kubernetes.NewForConfig(t.Cluster.RESTConfig(cluster.Admin)); err != nil {
		return nil, err
	}
	if err := Grant(start, t.Cluster); err != nil {
		return nil, err
	}
	// The history passes pods to the kubelet, which looks up their runs in the history.
	var h *history.History
	playing, stopKubelet := context.WithCancel(context.WithoutCancel(ctx))
	t.stopKubelet = stopKubelet
	t.kubelet = NewKubelet(playing, t.Client, func(ctx context.Context, pod *corev1.Pod) (Script, error) {
		run, err := h.RunOf(ctx, pod)
		if err != nil {
			return Script{}, err
		}
		return o.Script(pod, run), nil
	})
	h = history.New(t.Client, t.kubelet.SyncPod)
	t.History = h
	if err := h.Watch(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Stop ends the watches, the kubelet and the control plane, in this order.
func (t *Testbed) Stop() error {
	if t.History != nil {
		t.History.Stop()
	}
	if t.kubelet != nil {
		t.stopKubelet()
		t.kubelet.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return t.Cluster.Stop(ctx)
}

// Err returns an error if the testbed itself failed, in which case the results of the
// test prove nothing.
func (t *Testbed) Err() error {
	return errors.Join(t.History.Err(), t.kubelet.Err())
}

// Grant gives the workers of a cluster the permissions of deploy/rbac.yaml in every
// namespace.
func Grant(ctx context.Context, c *cluster.Cluster) error {
	file, err := findUp(filepath.Join("deploy", "rbac.yaml"))
	if err != nil {
		return err
	}
	role, err := scenarios.LoadRole(file)
	if err != nil {
		return err
	}
	return c.Grant(ctx, cluster.Worker, role.Rules)
}

// findUp returns the path of a file in the working directory or the nearest parent
// that has it: tests run in the directory of their package, programs in the module's.
func findUp(name string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s not found in %s or its parent directories", name, start)
		}
	}
}
