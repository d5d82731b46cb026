package step

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// bigJob are the events of a Job of n pods: each starts and runs, then all fail, the
// second half of them after the Job has ended.
func bigJob(n int) (before, after []Event) {
	rv := 0
	pod := func(i int, phase corev1.PodPhase, tracked bool) Event {
		rv++
		return Event{pod: testPod(fmt.Sprintf("pod-%06d", i), rv, phase, 1, tracked)}
	}
	for i := range n {
		before = append(before, pod(i, corev1.PodPending, true), pod(i, corev1.PodRunning, true))
	}
	for i := range n / 2 {
		before = append(before, pod(i, corev1.PodFailed, true), pod(i, corev1.PodFailed, false))
	}
	rv++
	after = []Event{{job: testJob(rv, ended(batchv1.JobFailed, 0, int32(n)))}}
	for i := n / 2; i < n; i++ {
		after = append(after, pod(i, corev1.PodFailed, true), pod(i, corev1.PodFailed, false))
	}
	return before, after
}

// BenchmarkBigJob reports what one event of a Job of 10,000 pods costs the informer's
// goroutine, before and after the Job has ended, and for how long the sum of them holds
// the future's lock.
func BenchmarkBigJob(b *testing.B) {
	const n = 10_000
	before, after := bigJob(n)
	var running, ending, sum time.Duration
	feed := func(v *state, events []Event) time.Duration {
		began := time.Now()
		for _, e := range events {
			if v.apply(e) {
				v.decision()
			}
		}
		return time.Since(began)
	}
	for b.Loop() {
		var v state
		running += feed(&v, before)
		ending += feed(&v, after)
		require.Equal(b, done, v.decision())
		began := time.Now()
		o := v.outcome(0, time.Time{})
		sum += time.Since(began)
		require.Len(b, o.Pods, n)
	}
	per := func(d time.Duration, events int) float64 {
		return float64(d.Nanoseconds()) / float64(b.N) / float64(events)
	}
	b.ReportMetric(per(running, len(before)), "ns/event-running")
	b.ReportMetric(per(ending, len(after)), "ns/event-ended")
	b.ReportMetric(per(sum, 1)/1e6, "ms/outcome")
	b.ReportMetric(0, "ns/op")
}
