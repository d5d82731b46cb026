package step

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/watch"
)

// TestCommonOutcome: the record of a successful step is the golden one.
func TestCommonOutcome(t *testing.T) {
	t.Parallel()
	at := func(second int) metav1.Time {
		return metav1.NewTime(time.Date(2026, 1, 1, 0, 0, second, 0, time.UTC))
	}
	status := ended(batchv1.JobComplete, 1, 0)
	status.Conditions[0].Reason, status.Conditions[0].Message = "CompletionsReached", "Reached expected number of succeeded pods"
	v := state{job: testJob(9, status)}
	v.applyPod(watch.NewPod(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "build-x7x2k-abcde", UID: "0d1f6a5c-0000-4000-8000-000000000000"},
		Spec:       corev1.PodSpec{NodeName: "node-1", Containers: []corev1.Container{{Name: "main"}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodSucceeded, StartTime: new(at(0)),
			ContainerStatuses: []corev1.ContainerStatus{{
				Name: "main", Image: "registry.example.com/team/worker:2026.11.24",
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", StartedAt: at(1), FinishedAt: at(5)}},
			}},
		},
	}), false)
	got, err := v.outcome(0, time.Time{}).encode()
	require.NoError(t, err)
	want, err := os.ReadFile("../record/testdata/v1/success.json")
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
