package input_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue"
)

func owner() metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "deploy", UID: "7d0b5f0e"}
}

// newClient starts a client on client-go's fake clientset in the test's bubble.
func newClient(t *testing.T) (*kontinue.Client, *fake.Clientset) {
	t.Helper()
	clientset := fake.NewClientset()
	client, err := kontinue.New(kontinue.Config{Clientset: clientset, Namespace: "ns", SkipPreflight: true})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.Stop(context.Background())) })
	return client, clientset
}

func newExecution(t *testing.T, client *kontinue.Client) *kontinue.ExecutionContext {
	t.Helper()
	ktx, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: owner()})
	require.NoError(t, err)
	return ktx
}

// requireNoWrite requires that the informers' LIST and WATCH were the only requests.
func requireNoWrite(t *testing.T, clientset *fake.Clientset) {
	t.Helper()
	for _, a := range clientset.Actions() {
		require.Contains(t, []string{"list", "watch"}, a.GetVerb())
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox:1"}}}
}

func jobSpec() batchv1.JobSpec {
	return batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: podSpec()}}
}
