package e2e

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
)

// serveWorkloads has the API server serve the Workloads of Kueue, without a Kueue: the
// scenarios play it. It needs a cluster of this process.
func serveWorkloads(t *testing.T) {
	t.Helper()
	admin, err := kubernetes.NewForConfig(shared.admin)
	require.NoError(t, err)
	object := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	definition, err := json.Marshal(map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{
			"name": "workloads.kueue.x-k8s.io",
			// The API server wants to know who has approved a group of Kubernetes.
			"annotations": map[string]string{"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/kueue"},
		},
		"spec": map[string]any{
			"group": "kueue.x-k8s.io", "scope": "Namespaced",
			"names": map[string]string{"kind": "Workload", "listKind": "WorkloadList", "plural": "workloads", "singular": "workload"},
			"versions": []any{map[string]any{
				"name": "v1beta2", "served": true, "storage": true,
				"schema":       map[string]any{"openAPIV3Schema": object},
				"subresources": map[string]any{"status": map[string]any{}},
			}},
		},
	})
	require.NoError(t, err)
	client := admin.CoreV1().RESTClient()
	err = client.Post().AbsPath("apis/apiextensions.k8s.io/v1/customresourcedefinitions").
		SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(definition).Do(t.Context()).Error()
	if !apierrors.IsAlreadyExists(err) {
		require.NoError(t, err)
	}
	require.NoError(t, eventually(t.Context(), "workloads of Kueue", func(ctx context.Context) error {
		return client.Get().AbsPath("apis/kueue.x-k8s.io/v1beta2/namespaces/default/workloads").SetHeader("Accept", "application/json").Do(ctx).Error()
	}))
}
