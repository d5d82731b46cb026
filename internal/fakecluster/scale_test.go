package fakecluster_test

import (
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// createMany creates n Jobs and waits until all have ended.
func createMany(tb testing.TB, c *fakecluster.Cluster, n int) {
	tb.Helper()
	w, err := c.Clientset().BatchV1().Jobs(ns).Watch(tb.Context(), metav1.ListOptions{})
	require.NoError(tb, err)
	defer w.Stop()
	for i := range n {
		_, err := c.Clientset().BatchV1().Jobs(ns).Create(tb.Context(), newJob(fmt.Sprintf("job-%d", i)), metav1.CreateOptions{})
		require.NoError(tb, err)
	}
	for left := n; left > 0; {
		event, ok := <-w.ResultChan()
		require.True(tb, ok)
		if job, ok := event.Object.(*batchv1.Job); ok && final(job) != nil {
			left--
		}
	}
}

func TestManyPodsAtOnceNeedFewGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: time.Hour})
		before := runtime.NumGoroutine()
		began := time.Now()
		go func() {
			after(30 * time.Minute)
			if extra := runtime.NumGoroutine() - before; extra > 20 {
				t.Errorf("%d more goroutines for 300 running pods", extra)
			}
		}()
		createMany(t, c, 300)
		require.Equal(t, time.Hour, time.Since(began))
	})
}

// BenchmarkJobs measures a Job from its creation to its end, 10,000 of them in
// flight, in real time.
func BenchmarkJobs(b *testing.B) {
	c := fakecluster.New(fakecluster.Options{})
	require.NoError(b, c.Start(b.Context()))
	defer c.Stop()
	b.ReportAllocs()
	b.ResetTimer()
	createMany(b, c, b.N)
}
