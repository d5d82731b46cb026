package registry

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
)

func TestIndexes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int{"0": 1, "0,2-4": 4, "1-2,3,7-8": 5} {
		n, err := countIndexes(text, 9)
		require.NoError(t, err)
		require.Equal(t, want, n, text)
	}
	for text, want := range map[string]string{
		"": "cannot convert", "9": "too large index", "0-9": "too large index", "a": "cannot convert", "1-2-3": "at most two parts",
		"2,1": "non-increasing order, previous: 2, current: 1", "2-2": "non-increasing order", "1-3,3": "non-increasing order",
	} {
		_, err := countIndexes(text, 9)
		require.ErrorContains(t, err, want, text)
	}
}

func TestImagePullPolicyDefault(t *testing.T) {
	t.Parallel()
	for image, latest := range map[string]bool{
		"alpine": true, "alpine:latest": true, "alpine:3": false, "reg.example.org:5000/a/b": true,
		"reg.example.org:5000/a/b:1": false, "alpine@sha256:00": false, "alpine:latest@sha256:00": false,
	} {
		require.Equal(t, latest, latestTag(image), image)
	}
}

func TestQOSClass(t *testing.T) {
	t.Parallel()
	both := corev1.ResourceList{corev1.ResourceCPU: apiresource.MustParse("1"), corev1.ResourceMemory: apiresource.MustParse("1Gi")}
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main"}}}
	require.Equal(t, corev1.PodQOSBestEffort, qosClass(&spec))
	spec.Containers[0].Resources = corev1.ResourceRequirements{Requests: both, Limits: both}
	require.Equal(t, corev1.PodQOSGuaranteed, qosClass(&spec))
	spec.InitContainers = []corev1.Container{{Name: "i"}}
	require.Equal(t, corev1.PodQOSBurstable, qosClass(&spec))
}
