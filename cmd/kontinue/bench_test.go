package main

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
)

// served starts kontinue dev and returns how to reach it, without a limit of requests.
func served(b *testing.B) *rest.Config {
	b.Helper()
	_, kubeconfig, _ := dev(b)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(b, err)
	config.QPS = -1
	return config
}

// BenchmarkGet is a GET of an object over TLS, from as many goroutines as there are cores.
func BenchmarkGet(b *testing.B) {
	client, err := kubernetes.NewForConfig(served(b))
	require.NoError(b, err)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := client.CoreV1().Namespaces().Get(b.Context(), "default", metav1.GetOptions{}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

// BenchmarkStep is a step whose container is a process, of which sixteen run at a time.
func BenchmarkStep(b *testing.B) {
	config := served(b)
	clientset, err := kubernetes.NewForConfig(config)
	require.NoError(b, err)
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: "default"})
	require.NoError(b, err)
	require.NoError(b, client.Start(b.Context()))
	b.Cleanup(func() { _ = client.Stop(b.Context()) })
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		owner, err := clientset.CoreV1().ConfigMaps("default").Create(b.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{GenerateName: "run-"}}, metav1.CreateOptions{})
		if err != nil {
			b.Error(err)
			return
		}
		ktx, err := client.NewExecutionContext(b.Context(), kontinue.Execution{Owner: *metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap"))})
		if err != nil {
			b.Error(err)
			return
		}
		for pb.Next() {
			result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "busybox", Command: "true"})
			if err != nil || !result.Succeeded() {
				b.Errorf("%v %v", result, err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
}
