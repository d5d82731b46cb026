package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kontinue/kontinue/devcluster"
)

// answerLimit bounds the wait for an answer of another cluster for development.
const answerLimit = time.Second

// kubeconfig is a kubeconfig file that has the context of a cluster for development.
type kubeconfig struct {
	path    string
	name    string // of context, cluster and user
	server  string
	current bool // whether it is the file's current context
}

// addContext adds the context of the endpoint to the file, which is created if it does not
// exist. It keeps what else is in the file, and its current context if there is one. It
// returns an error if another cluster for development has its context there, or if other
// users could read the token there.
func addContext(ctx context.Context, path string, endpoint *devcluster.Endpoint) (*kubeconfig, error) {
	content, err := endpoint.Kubeconfig()
	if err != nil {
		return nil, err
	}
	add, err := clientcmd.Load(content)
	if err != nil {
		return nil, err
	}
	k := &kubeconfig{path: path, name: add.CurrentContext, server: endpoint.URL()}
	if add.AuthInfos[k.name].Token != "" {
		if err := private(path); err != nil {
			return nil, fmt.Errorf("--kubeconfig %s: %w", path, err)
		}
	}
	// Another cluster is asked without the lock, for which a kubectl does not wait.
	before, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("--kubeconfig %s: %w", path, err)
	}
	// At its own address it is itself that answers, after a kill that has left the context there.
	if server := answers(ctx, before, k.name); server != "" && server != k.server {
		return nil, fmt.Errorf("--kubeconfig %s: the context %s of that file belongs to another cluster, which answers at %s; pass another --kubeconfig", path, k.name, server)
	}
	return k, k.change(func(config *api.Config) error {
		if !reflect.DeepEqual(config.Clusters[k.name], before.Clusters[k.name]) {
			return fmt.Errorf("another cluster has just taken the context %s of that file; pass another --kubeconfig", k.name)
		}
		config.Clusters[k.name] = add.Clusters[k.name]
		config.AuthInfos[k.name] = add.AuthInfos[k.name]
		config.Contexts[k.name] = add.Contexts[k.name]
		if config.CurrentContext == "" {
			config.CurrentContext = k.name
		}
		k.current = config.CurrentContext == k.name
		return nil
	})
}

// private returns an error if other users can read the file.
func private(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil // it is created for its owner alone
	case err != nil:
		return err
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o044 != 0:
		return fmt.Errorf("other users can read that file, and with the token run commands as this user: chmod 600 %s, or pass another --kubeconfig", shellQuote(path))
	}
	return nil
}

// remove removes the context from the file unless another cluster has taken its place, and
// the file if nothing else is in it.
func (k *kubeconfig) remove() error {
	return k.change(func(config *api.Config) error {
		if cluster := config.Clusters[k.name]; cluster == nil || cluster.Server != k.server {
			return nil
		}
		delete(config.Clusters, k.name)
		delete(config.AuthInfos, k.name)
		delete(config.Contexts, k.name)
		if config.CurrentContext == k.name {
			config.CurrentContext = ""
		}
		return nil
	})
}

// load returns what is in the file, which is nothing if it does not exist.
func load(path string) (*api.Config, error) {
	config, err := clientcmd.LoadFromFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return api.NewConfig(), nil
	}
	return config, err
}

// change changes the file under the lock of kubectl config, which is held from the read to
// the write: clientcmd.ModifyConfig would remove what another program has added in between.
// It removes a file in which nothing is left.
func (k *kubeconfig) change(f func(*api.Config) error) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("--kubeconfig %s: %w", k.path, err)
		}
	}()
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return err
	}
	path := k.path + ".lock"
	lock, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%w; if no kubectl or kontinue is running, remove %s", err, shellQuote(path))
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Close(), os.Remove(path)) }()
	config, err := load(k.path)
	if err != nil {
		return err
	}
	before := config.DeepCopy()
	if err := f(config); err != nil || reflect.DeepEqual(before, config) {
		return err
	}
	if info, err := os.Lstat(k.path); err == nil && info.Mode().IsRegular() && api.IsConfigEmpty(config) {
		return os.Remove(k.path) // but not a link
	}
	return clientcmd.WriteToFile(*config, k.path)
}

// answers returns the server of the context if the config has it, and the server accepts
// its credentials.
func answers(ctx context.Context, config *api.Config, name string) string {
	rest, err := clientcmd.NewNonInteractiveClientConfig(*config, name, nil, nil).ClientConfig()
	if err != nil {
		return ""
	}
	rest.Timeout = answerLimit
	client, err := discovery.NewDiscoveryClientForConfig(rest)
	if err != nil {
		return ""
	}
	if _, err := client.RESTClient().Get().AbsPath("/api").DoRaw(ctx); err != nil {
		return ""
	}
	return rest.Host
}
