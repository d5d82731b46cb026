package kontinue_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

func TestExitErrorText(t *testing.T) {
	t.Parallel()
	for want, e := range map[string]kontinue.ExitError{
		"job ns/j failed": {},
		"job ns/j failed: pod p: container \"c\" failed: exit code 3": {Pod: "p", Container: "c", ExitCode: 3, Reason: "Error", Message: `container "c" failed: exit code 3`},
		"job ns/j failed (DeadlineExceeded): too long":                {Reason: "DeadlineExceeded", Message: "too long"},
		"job ns/j failed: pod p: container \"c\" exited with code 3":  {Pod: "p", Container: "c", ExitCode: 3},
		"job ns/j failed: pod p: container \"c\" ended by signal 9 (OOMKilled)": {
			Pod: "p", Container: "c", ExitCode: 137, Signal: 9, Reason: "OOMKilled",
		},
	} {
		e.Namespace, e.Job = "ns", "j"
		require.EqualError(t, &e, want)
	}
}

// TestHandMadeResults: a result that a unit test constructs has no Job, so its
// methods answer from the pods alone.
func TestHandMadeResults(t *testing.T) {
	t.Parallel()
	pod := func(exitCode int32, reason string) *kontinue.PodResult {
		return &kontinue.PodResult{Pod: &corev1.Pod{
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}},
			Status: corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: "c", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exitCode, Reason: reason}},
			}}},
		}}
	}
	require.True(t, pod(0, "Completed").Succeeded())
	require.NoError(t, pod(0, "Completed").Err())
	require.False(t, pod(0, "OOMKilled").Succeeded())
	require.ErrorIs(t, pod(0, "OOMKilled").Err(), kontinue.ErrOOMKilled)
	var failed *kontinue.ExitError
	require.ErrorAs(t, pod(143, "Error").Err(), &failed)
	require.EqualValues(t, 15, failed.Signal)
	require.False(t, (&kontinue.PodResult{}).Succeeded())
	require.Error(t, (&kontinue.PodResult{}).Err())

	require.True(t, (&kontinue.JobResult{SucceededPods: 1}).Succeeded())
	require.False(t, (&kontinue.JobResult{}).Succeeded())
	require.False(t, (&kontinue.JobResult{SucceededPods: 1, FailedPods: 1}).Succeeded())
	job := kontinue.JobResult{FailedPods: 1, Message: "m", Pods: []*kontinue.PodResult{pod(0, ""), pod(7, "Error")}}
	require.ErrorAs(t, job.Err(), &failed)
	require.EqualValues(t, 7, failed.ExitCode)
}
