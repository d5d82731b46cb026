package apiserver

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestPodDefaults(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	in := testPod("a")
	in.Spec.RestartPolicy = ""
	in.Spec.Containers[0].Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: apiresource.MustParse("1")}
	in.Spec.Volumes = []corev1.Volume{{Name: "v"}, {Name: "s", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "s"}}}}
	in.Status.Phase = corev1.PodSucceeded
	pod := createPod(t, c, in)
	require.Equal(t, corev1.PodPending, pod.Status.Phase)
	require.Equal(t, corev1.PodQOSBurstable, pod.Status.QOSClass)
	require.Equal(t, corev1.RestartPolicyAlways, pod.Spec.RestartPolicy)
	require.Equal(t, "default", pod.Spec.ServiceAccountName)
	require.True(t, *pod.Spec.EnableServiceLinks)
	require.Equal(t, "1", pod.Spec.Containers[0].Resources.Requests.Cpu().String())
	require.NotNil(t, pod.Spec.Volumes[0].EmptyDir)
	require.Equal(t, int32(0o644), *pod.Spec.Volumes[1].Secret.DefaultMode)

	out, err := c.CoreV1().Pods(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(`{"status":{"podIP":"10.0.0.1"}}`), metav1.PatchOptions{}, "status")
	require.NoError(t, err)
	require.Equal(t, []corev1.PodIP{{IP: "10.0.0.1"}}, out.Status.PodIPs)
}

func TestPodSpecIsImmutable(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	createPod(t, c, testPod("a"))
	patch := func(body string) error {
		_, err := c.CoreV1().Pods(testNamespace).Patch(t.Context(), "a", types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{})
		return err
	}
	require.NoError(t, patch(`{"spec":{"containers":[{"name":"main","image":"other:1"}],"activeDeadlineSeconds":5}}`))
	require.Equal(t, int64(2), getPod(t, c, "a").Generation)
	requireReason(t, patch(`{"spec":{"nodeName":"n"}}`), metav1.StatusReasonInvalid, "pod updates may not change fields other than")
	requireReason(t, patch(`{"spec":{"containers":[{"name":"second","image":"x"}]}}`), metav1.StatusReasonInvalid, "may not add or remove containers")
	requireReason(t, patch(`{"spec":{"activeDeadlineSeconds":6}}`), metav1.StatusReasonInvalid)
}

func TestEndedContainerStaysEnded(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	createPod(t, c, testPod("a"))
	status := func(body string) error {
		_, err := c.CoreV1().Pods(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(`{"status":{"containerStatuses":[{"name":"main","state":`+body+`}]}}`), metav1.PatchOptions{}, "status")
		return err
	}
	require.NoError(t, status(`{"running":{}}`))
	require.NoError(t, status(`{"terminated":{"exitCode":3}}`))
	requireReason(t, status(`{"running":{}}`), metav1.StatusReasonInvalid, "may not be transitioned to non-terminated state")
}
