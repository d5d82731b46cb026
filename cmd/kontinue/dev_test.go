package main

import (
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// dev starts kontinue dev and returns it with its kubeconfig file and its address.
func dev(t testing.TB, args ...string) (p *program, kubeconfig, address string) {
	t.Helper()
	kubeconfig = filepath.Join(t.TempDir(), "config")
	p = begin(t, append([]string{"dev", "--kubeconfig", kubeconfig}, args...)...)
	first := p.line(t)
	require.Regexp(t, `^A cluster for development is served at https?://127\.0\.0\.1:\d+ until Ctrl-C\.$`, first)
	require.Equal(t, "export KUBECONFIG="+kubeconfig, p.line(t))
	return p, kubeconfig, strings.Fields(first)[7]
}

func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

// TestDev serves a cluster until a signal comes, and leaves no file behind.
func TestDev(t *testing.T) {
	t.Parallel()
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			p, kubeconfig, _ := dev(t)
			info, err := os.Stat(kubeconfig)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), "the file has the token")
			client := clientOf(t, kubeconfig)
			_, err = client.BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)

			p.signals <- sig
			require.Zero(t, <-p.done, "%s", p.errOut)
			require.NoFileExists(t, kubeconfig)
			_, err = client.BatchV1().Jobs("default").List(t.Context(), metav1.ListOptions{})
			require.Error(t, err)
		})
	}
}

func TestDevInsecure(t *testing.T) {
	t.Parallel()
	_, kubeconfig, address := dev(t, "--insecure")
	require.True(t, strings.HasPrefix(address, "http://"), address)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	require.Empty(t, config.BearerToken)
	_, err = clientOf(t, kubeconfig).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
}

// TestDevKeepsKubeconfig: what else is in a kubeconfig file stays, while the cluster runs
// and afterwards.
func TestDevKeepsKubeconfig(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	prod := api.NewConfig()
	prod.Clusters["prod"] = &api.Cluster{Server: "https://prod.example.com", CertificateAuthority: "ca.crt"}
	prod.AuthInfos["prod"] = &api.AuthInfo{Token: "secret"}
	prod.Contexts["prod"] = &api.Context{Cluster: "prod", AuthInfo: "prod"}
	prod.CurrentContext = "prod"
	require.NoError(t, clientcmd.WriteToFile(*prod, file))
	before, err := os.ReadFile(file)
	require.NoError(t, err)

	p := begin(t, "dev", "--kubeconfig", file)
	p.line(t)
	require.Equal(t, "export KUBECONFIG="+file+"   # and: kubectl --context kontinue-dev", p.line(t))
	during, err := clientcmd.LoadFromFile(file)
	require.NoError(t, err)
	require.Equal(t, "prod", during.CurrentContext, "the next kubectl of somebody else must not find another cluster")
	require.Contains(t, during.Contexts, "kontinue-dev")
	require.Equal(t, "ca.crt", during.Clusters["prod"].CertificateAuthority)

	p.signals <- os.Interrupt
	require.Zero(t, <-p.done, "%s", p.errOut)
	after, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(before), string(after))
}

// TestDevKeepsOthers: what another program adds to the file or leaves there stays, and a file
// that other users can read gets no token.
func TestDevKeepsOthers(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]*api.Config{
		"current context": {CurrentContext: "elsewhere"},
		"extension":       {Extensions: map[string]kruntime.Object{"tool": &kruntime.Unknown{Raw: []byte(`{"a":"b"}`), ContentType: "application/json"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config")
			require.NoError(t, clientcmd.WriteToFile(*config, file))
			before, err := os.ReadFile(file)
			require.NoError(t, err)
			p := begin(t, "dev", "--kubeconfig", file)
			p.line(t)
			p.signals <- syscall.SIGHUP
			_, code := p.end(t)
			require.Zero(t, code, "%s", p.errOut)
			after, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(before), string(after))
		})
	}
	t.Run("other users", func(t *testing.T) {
		t.Parallel()
		file := filepath.Join(t.TempDir(), "config")
		require.NoError(t, os.WriteFile(file, []byte("kind: Config\napiVersion: v1\n"), 0o600))
		require.NoError(t, os.Chmod(file, 0o644))
		p := begin(t, "dev", "--kubeconfig", file)
		_, err := p.out.ReadString('\n')
		require.ErrorIs(t, err, io.EOF, "it serves")
		require.Equal(t, exitFailed, <-p.done)
		require.Contains(t, p.errOut.String(), "chmod 600 "+file)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(content), "token")

		insecure := begin(t, "dev", "--kubeconfig", file, "--insecure")
		insecure.line(t) // there is no token to read
	})
}

// TestKubeconfigAtOnce: of clusters that are started at once with one file one gets it, and
// changes of others meanwhile are not lost.
func TestKubeconfigAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "config")
	k := &kubeconfig{path: file, name: "kontinue-dev"}
	require.NoError(t, k.change(func(config *api.Config) error {
		config.Contexts["mine"] = &api.Context{Cluster: "mine"}
		other := &kubeconfig{path: file}
		require.ErrorIs(t, other.change(func(*api.Config) error { return nil }), os.ErrExist, "the lock is held from the read on")
		return nil
	}))
	require.NoFileExists(t, file+".lock")
	config, err := clientcmd.LoadFromFile(file)
	require.NoError(t, err)
	require.Contains(t, config.Contexts, "mine")
}

// TestDevContextInUse: two clusters do not take each other's place in a file. One that was
// killed leaves its context behind, which the next one replaces.
func TestDevContextInUse(t *testing.T) {
	t.Parallel()
	first, kubeconfig, address := dev(t)
	second := begin(t, "dev", "--kubeconfig", kubeconfig)
	require.Equal(t, exitFailed, <-second.done)
	require.Contains(t, second.errOut.String(), "the context kontinue-dev of that file belongs to another cluster, which answers at "+address+"; pass another --kubeconfig")

	left, err := os.ReadFile(kubeconfig)
	require.NoError(t, err)
	first.signals <- os.Interrupt
	require.Zero(t, <-first.done)
	require.NoError(t, os.WriteFile(kubeconfig, left, 0o600))
	third := begin(t, "dev", "--kubeconfig", kubeconfig)
	third.line(t)
	_, err = clientOf(t, kubeconfig).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
}

// TestDevContextOfItself: a cluster that was killed, and serves its directory at the same address
// again, is not taken for another one that has its context.
func TestDevContextOfItself(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, kubeconfig, address := dev(t, "--data", dir)
	left, err := os.ReadFile(kubeconfig)
	require.NoError(t, err)
	first.signals <- os.Interrupt
	require.Zero(t, <-first.done)
	require.NoError(t, os.WriteFile(kubeconfig, left, 0o600)) // as after a kill
	second := begin(t, "dev", "--kubeconfig", kubeconfig, "--data", dir, "--listen", strings.TrimPrefix(address, "https://"))
	require.Contains(t, second.line(t), address)
	_, err = clientOf(t, kubeconfig).CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
}

// TestDevRefuses: what cannot work fails at once, and leaves no file behind.
func TestDevRefuses(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	broken := filepath.Join(t.TempDir(), "broken")
	require.NoError(t, os.WriteFile(broken, []byte("not: [yaml"), 0o600))
	locked := filepath.Join(t.TempDir(), "locked")
	require.NoError(t, os.WriteFile(locked+".lock", nil, 0o600))
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"address in use":         {[]string{"--listen", listener.Addr().String()}, "address already in use"},
		"address without a port": {[]string{"--listen", "127.0.0.1"}, "--listen 127.0.0.1: listen tcp: address 127.0.0.1: missing port"},
		"insecure for others":    {[]string{"--listen", ":0", "--insecure"}, "listen on 127.0.0.1"},
		"broken kubeconfig":      {[]string{"--kubeconfig", broken}, "--kubeconfig " + broken},
		"locked kubeconfig":      {[]string{"--kubeconfig", locked}, "if no kubectl or kontinue is running, remove " + locked + ".lock"},
		"arguments":              {[]string{"now"}, `unknown command "now" for "kontinue dev"`},
		"unknown flag":           {[]string{"--nodes=3"}, "unknown flag: --nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "config")
			p := begin(t, append([]string{"dev", "--kubeconfig", file}, tc.args...)...)
			require.Equal(t, exitFailed, <-p.done)
			require.Contains(t, p.errOut.String(), tc.want)
			require.NoFileExists(t, file)
		})
	}
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{
		"/home/me/dev.kubeconfig": "/home/me/dev.kubeconfig",
		"/home/my files/config":   "'/home/my files/config'",
		"it's":                    `'it'\''s'`,
		"":                        "''",
		"$HOME":                   "'$HOME'",
	} {
		require.Equal(t, want, shellQuote(word))
	}
}

// The address in the first line of dev is a URL, for scripts.
func TestDevAddress(t *testing.T) {
	t.Parallel()
	_, _, address := dev(t, "--listen", "localhost:0")
	u, err := url.Parse(address)
	require.NoError(t, err)
	require.Equal(t, "https", u.Scheme)
}

// TestDevData: with a directory, the next cluster has what the one before had, and its
// credentials. Two at a time cannot have it.
func TestDevData(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, kubeconfig, _ := dev(t, "--data", dir)
	before, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	_, err = clientOf(t, kubeconfig).CoreV1().ConfigMaps("default").Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "a"}}, metav1.CreateOptions{})
	require.NoError(t, err)

	second := begin(t, "dev", "--kubeconfig", filepath.Join(t.TempDir(), "config"), "--data", dir)
	require.Equal(t, exitFailed, <-second.done)
	require.Contains(t, second.errOut.String(), dir)

	first.signals <- os.Interrupt
	require.Zero(t, <-first.done, "%s", first.errOut)
	_, kubeconfig, _ = dev(t, "--data", dir)
	after, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	require.Equal(t, before.BearerToken, after.BearerToken, "at the same address a client would be let in")
	require.Equal(t, before.CAData, after.CAData)
	_, err = clientOf(t, kubeconfig).CoreV1().ConfigMaps("default").Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
}
