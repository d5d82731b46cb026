package kubelet

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/fakecluster/engine"
)

// TestReferencesAreFetched: a container sees what was written before its pod was created,
// even if no watch has delivered it.
func TestReferencesAreFetched(t *testing.T) {
	t.Parallel()
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: "ns", Name: name, ResourceVersion: "1", UID: types.UID("uid-of-" + name)}
	}
	client := fake.NewClientset(
		&corev1.ConfigMap{ObjectMeta: meta("state"), Data: map[string]string{"ready": "yes"}},
		&corev1.Secret{ObjectMeta: meta("creds"), Data: map[string][]byte{"token": []byte("t")}},
	)
	k := New(client, engine.NewCache(), containers.NewScripts(), Options{})
	defer k.Wait()
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "p"}, Spec: corev1.PodSpec{Containers: []corev1.Container{{
		Name: "c",
		Env: []corev1.EnvVar{
			{Name: "READY", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "state"}, Key: "ready", Optional: new(true),
			}}},
			{Name: "NONE", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: "absent"}, Key: "ready", Optional: new(true),
			}}},
		},
		EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "creds"}}}},
	}}}}
	require.NoError(t, k.fetchReferences(t.Context(), newPodWorker(pod)))
	env, err := k.resolveEnv(newPodWorker(pod), &pod.Spec.Containers[0])
	require.NoError(t, err)
	require.Equal(t, []containers.EnvVar{{Name: "token", Value: "t"}, {Name: "READY", Value: "yes"}}, env)
}
