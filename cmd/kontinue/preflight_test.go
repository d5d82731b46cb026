package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

func TestPreflight(t *testing.T) {
	t.Parallel()
	_, kubeconfig, _ := dev(t)
	code, out, errOut := output(t, "kontinue", "preflight", "--kubeconfig", kubeconfig)
	require.Zero(t, code, errOut)
	for _, want := range []string{
		`(?m)^API server +ok +https://127\.0\.0\.1:\d+, Kubernetes v1\.\d+\.\d+$`,
		`(?m)^user +ok +kubernetes-admin$`,
		`(?m)^clock +ok +within 5s of the API server's$`,
		`(?m)^create jobs\.batch +ok +in namespace default$`,
		`(?m)^get pods/log +ok +in namespace default$`,
		`(?m)^dry run of a Job +ok +in namespace default$`,
		`(?m)^dry run of its pod +ok +in namespace default$`,
	} {
		require.Regexp(t, want, out)
	}
	client := clientOf(t, kubeconfig)
	jobs, err := client.BatchV1().Jobs("").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, jobs.Items, "nothing is created")

	_, err = client.CoreV1().ResourceQuotas("default").Create(t.Context(), &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Name: "full"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourcePods: resource.MustParse("0")}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	code, out, _ = output(t, "kontinue", "preflight", "--kubeconfig", kubeconfig, "-A")
	require.Equal(t, 1, code)
	require.Regexp(t, `(?m)^create jobs\.batch +ok +in all namespaces$`, out)
	require.Regexp(t, `(?m)^dry run of a Job +ok `, out, "the quota is of pods")
	require.Regexp(t, `(?m)^dry run of its pod +REFUSED +pods .* exceeded quota: full`, out)
}

// TestPreflightOfAPoorWorker has rights taken away by a proxy, and a clock that is late.
func TestPreflightOfAPoorWorker(t *testing.T) {
	t.Parallel()
	_, kubeconfig, _ := dev(t)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	transport, err := rest.TransportFor(config)
	require.NoError(t, err)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := new(strings.Builder)
		if strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews") {
			if copyAll(body, r.Body) != nil {
				return // the client is gone
			}
			if text := body.String(); strings.Contains(text, "patch") || strings.Contains(text, "pods") && strings.Contains(text, "create") || strings.Contains(text, "events") {
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
				_, _ = w.Write([]byte(`{"kind":"SelfSubjectAccessReview","apiVersion":"authorization.k8s.io/v1","status":{"allowed":false}}`))
				return
			}
			r.Body = readCloser(body.String())
		}
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme = "", "https"
		out.URL.Host = strings.TrimPrefix(config.Host, "https://")
		res, err := transport.RoundTrip(out)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		for key, values := range res.Header {
			w.Header()[key] = values
		}
		w.Header().Set("Date", time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat))
		w.WriteHeader(res.StatusCode)
		_ = copyAll(w, res.Body)
	}))
	t.Cleanup(proxy.Close)
	file := t.TempDir() + "/config"
	poor := api.NewConfig()
	poor.Clusters["c"], poor.Contexts["c"], poor.CurrentContext = &api.Cluster{Server: proxy.URL}, &api.Context{Cluster: "c", Namespace: "default"}, "c"
	require.NoError(t, clientcmd.WriteToFile(*poor, file))

	code, out, errOut := output(t, "kontinue", "preflight", "--kubeconfig", file)
	require.Equal(t, 1, code)
	require.Regexp(t, `(?m)^clock +warning +this machine is 1h0m[01]s off the API server`, out)
	require.Regexp(t, `(?m)^patch jobs\.batch +MISSING +in namespace default$`, out)
	require.Regexp(t, `(?m)^list events +optional +is missing in namespace default: some steps`, out)
	require.Regexp(t, `(?m)^dry run of its pod +unknown +needs the right to create pods in namespace default`, out)
	require.Contains(t, errOut, "cannot patch jobs.batch in namespace default: bind this Role")
	require.Contains(t, errOut, "    verbs: [patch]")
}

// TestPreflightAsAnother: a cluster that takes every request for that of its own user says
// nothing about the rights of another one.
func TestPreflightAsAnother(t *testing.T) {
	t.Parallel()
	_, kubeconfig, _ := dev(t)
	code, out, errOut := output(t, "kontinue", "preflight", "--kubeconfig", kubeconfig, "--as", "system:serviceaccount:default:poor")
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	require.Regexp(t, `takes the requests as system:serviceaccount:default:poor for those of kubernetes-admin`, errOut)

	code, out, errOut = output(t, "kontinue", "preflight", "--kubeconfig", kubeconfig, "--as", "kubernetes-admin")
	require.Zero(t, code, errOut)
	require.Regexp(t, `(?m)^user +ok +kubernetes-admin$`, out)
}

func TestPreflightWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	code, out, errOut := output(t, "kontinue", "preflight", "--kubeconfig", t.TempDir()+"/none", "--server", "http://127.0.0.1:1")
	require.Equal(t, exitFailed, code)
	require.Empty(t, out)
	require.NotEmpty(t, errOut)
}

func copyAll(w io.Writer, r io.Reader) error {
	_, err := io.Copy(w, r)
	return err
}

func readCloser(text string) io.ReadCloser { return io.NopCloser(strings.NewReader(text)) }
