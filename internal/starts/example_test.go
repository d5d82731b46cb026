package starts_test

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/starts"
)

func Example() {
	created := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	s, stalled := starts.StallOf(&corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "migrate-x7k2p", CreationTimestamp: metav1.NewTime(created)},
		Status: corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{{
			Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient cpu.",
		}}},
	})
	fmt.Println(stalled, s.Message)
	fmt.Println("until", s.Since.Add(starts.DefaultLimits()[s.Key]).Format(time.TimeOnly))
	// Output:
	// true pod is not scheduled: 0/3 nodes are available: 3 Insufficient cpu.
	// until 12:15:00
}
