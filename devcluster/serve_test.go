package devcluster_test

import (
	"net"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue/devcluster"
)

func start(t *testing.T) *devcluster.Cluster {
	t.Helper()
	cluster, err := devcluster.Start(t.Context(), devcluster.Options{})
	require.NoError(t, err)
	t.Cleanup(cluster.Stop)
	return cluster
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// TestServe reaches the cluster as another process does, by the kubeconfig file.
func TestServe(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		address string
		opts    devcluster.ServeOptions
	}{
		"TLS":         {"127.0.0.1:0", devcluster.ServeOptions{}},
		"any address": {":0", devcluster.ServeOptions{}},
		"insecure":    {"127.0.0.1:0", devcluster.ServeOptions{Insecure: true}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cluster := start(t)
			endpoint, err := cluster.Serve(listen(t, tc.address), tc.opts)
			require.NoError(t, err)
			file := filepath.Join(t.TempDir(), "config")
			require.NoError(t, endpoint.WriteKubeconfig(file))
			config, err := clientcmd.BuildConfigFromFlags("", file)
			require.NoError(t, err)
			client := newClientset(t, config)
			_, err = client.CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
			require.NoError(t, err)
			_, err = cluster.Clientset().CoreV1().ConfigMaps("default").Get(t.Context(), "a", metav1.GetOptions{})
			require.NoError(t, err, "it is the same cluster")

			watch, err := client.CoreV1().ConfigMaps("default").Watch(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			cluster.Stop()
			for range watch.ResultChan() {
			}
			_, err = client.CoreV1().ConfigMaps("default").Get(t.Context(), "a", metav1.GetOptions{})
			require.ErrorContains(t, err, "connection refused")
			_, err = cluster.Serve(listen(t, "127.0.0.1:0"), tc.opts)
			require.ErrorIs(t, err, devcluster.ErrStopped)
		})
	}
}

// TestServeRefuses: who does not have the token of an endpoint does nothing there.
func TestServeRefuses(t *testing.T) {
	t.Parallel()
	cluster := start(t)
	endpoint, err := cluster.Serve(listen(t, "127.0.0.1:0"), devcluster.ServeOptions{})
	require.NoError(t, err)
	for _, token := range []string{"", "guess", "kubernetes-admin", "system:kube-controller-manager"} {
		config := endpoint.RESTConfig()
		config.BearerToken = token
		_, err := newClientset(t, config).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
		require.True(t, apierrors.IsUnauthorized(err), "token %q: %v", token, err)
	}
	config := endpoint.RESTConfig()
	config.CAData = nil
	_, err = newClientset(t, config).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	require.ErrorContains(t, err, "certificate signed by unknown authority")

	_, err = cluster.Serve(listen(t, ":0"), devcluster.ServeOptions{Insecure: true})
	require.ErrorContains(t, err, "listen on 127.0.0.1")
}

func newClientset(t *testing.T, config *rest.Config) kubernetes.Interface {
	t.Helper()
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	t.Cleanup(func() {
		// The connections of the test's own client.
		if transport, err := rest.HTTPClientFor(config); err == nil {
			transport.CloseIdleConnections()
		}
	})
	return client
}
