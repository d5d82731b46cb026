package pods_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

func TestJobSpecRunsThePodOnce(t *testing.T) {
	t.Parallel()
	in := corev1.PodSpec{
		RestartPolicy:      corev1.RestartPolicyAlways,
		ServiceAccountName: "deployer",
		Containers:         []corev1.Container{{Name: "main", Image: "app", Command: []string{"./run"}}},
	}
	got := pods.JobSpec(in)

	require.Equal(t, int32(0), *got.BackoffLimit)
	require.Equal(t, int32(1), *got.Parallelism)
	require.Equal(t, int32(1), *got.Completions)
	require.Equal(t, batchv1.Failed, *got.PodReplacementPolicy)
	require.Nil(t, got.PodFailurePolicy)
	require.Nil(t, got.TTLSecondsAfterFinished)
	require.Equal(t, corev1.RestartPolicyNever, got.Template.Spec.RestartPolicy)
	require.Equal(t, "deployer", got.Template.Spec.ServiceAccountName)

	require.Equal(t, corev1.RestartPolicyAlways, in.RestartPolicy)
}
