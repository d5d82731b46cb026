package fakecluster_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// startData starts a cluster, to be stopped by the caller, whose containers write a line and end, with its data in the
// directory, or in memory only.
func startData(b *testing.B, dir string) *fakecluster.Cluster {
	b.Helper()
	var opts fakecluster.Options
	if dir != "" {
		opts.Kubelet.LogDir = filepath.Join(dir, "logs")
	}
	c := fakecluster.New(opts)
	c.On(containers.Match{}, containers.Script{Log: []containers.LogLine{{Text: "done"}}})
	if dir != "" {
		require.NoError(b, c.APIServer().Persist(filepath.Join(dir, "objects.jsonl")))
	}
	require.NoError(b, c.Start(b.Context()))
	return c
}

// runJobs runs n Jobs at once and waits for their ends.
func runJobs(b *testing.B, c *fakecluster.Cluster, n int) {
	b.Helper()
	jobs := c.Clientset().BatchV1().Jobs(ns)
	w, err := jobs.Watch(b.Context(), metav1.ListOptions{})
	require.NoError(b, err)
	defer w.Stop()
	for i := range n {
		_, err := jobs.Create(b.Context(), newJob(fmt.Sprint("job-", i)), metav1.CreateOptions{})
		require.NoError(b, err)
	}
	for left := n; left > 0; {
		if job, ok := (<-w.ResultChan()).Object.(*batchv1.Job); ok && job.DeletionTimestamp == nil && final(job) != nil {
			left--
		}
	}
}

// BenchmarkData measures a Job from its creation to its end, in the memory of the cluster
// only and with its data on disk.
func BenchmarkData(b *testing.B) {
	for _, name := range []string{"memory", "data"} {
		b.Run(name, func(b *testing.B) {
			dir := ""
			if name == "data" {
				dir = b.TempDir()
			}
			c := startData(b, dir)
			defer c.Stop()
			b.ResetTimer()
			runJobs(b, c, b.N)
			if dir != "" {
				info, err := os.Stat(filepath.Join(dir, "objects.jsonl"))
				require.NoError(b, err)
				b.ReportMetric(float64(info.Size())/float64(b.N), "file-B/op")
			}
		})
	}
}

// BenchmarkRestart measures the start of a cluster with 10,000 Jobs that have ended, and
// the memory that it then has.
func BenchmarkRestart(b *testing.B) {
	const count = 10_000
	dir := b.TempDir()
	func() { // its history is of no interest, and collected
		first := startData(b, dir)
		defer first.Stop()
		runJobs(b, first, count)
	}()
	used, n := int64(0), 0
	b.ResetTimer()
	for range b.N {
		b.StopTimer()
		before := heap()
		b.StartTimer()
		c := startData(b, dir)
		b.StopTimer()
		used, n = used+heap()-before, n+1
		list, err := c.Clientset().BatchV1().Jobs(ns).List(b.Context(), metav1.ListOptions{})
		require.NoError(b, err)
		require.Len(b, list.Items, count)
		c.Stop()
		b.StartTimer()
	}
	info, err := os.Stat(filepath.Join(dir, "objects.jsonl"))
	require.NoError(b, err)
	b.ReportMetric(float64(info.Size())/(1<<20), "file-MB")
	b.ReportMetric(float64(used)/float64(n)/(1<<20), "heap-MB")
}

func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
