package fakecluster_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
)

const ns = "work"

// newCluster starts a cluster that stops with the test. Call it inside the
// bubble of a synctest test.
func newCluster(t *testing.T, opts fakecluster.Options) *fakecluster.Cluster {
	t.Helper()
	c := fakecluster.New(opts)
	require.NoError(t, c.Start(t.Context()))
	t.Cleanup(c.Stop)
	return c
}

// newJob returns a Job with one container "main", modified by edit.
func newJob(name string, edit ...func(*batchv1.Job)) *batchv1.Job {
	job := &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: batchv1.JobSpec{
			BackoffLimit: ptr.To[int32](0),
			Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				Containers:    []corev1.Container{{Name: "main", Image: "busybox:1"}},
			}},
		},
	}
	for _, e := range edit {
		e(job)
	}
	return job
}

func create(t *testing.T, c *fakecluster.Cluster, job *batchv1.Job) *batchv1.Job {
	t.Helper()
	created, err := c.Clientset().BatchV1().Jobs(job.Namespace).Create(t.Context(), job, metav1.CreateOptions{})
	require.NoError(t, err)
	return created
}

// ended waits for the Job's final condition and returns the Job.
func ended(t *testing.T, c *fakecluster.Cluster, name string) *batchv1.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	job, err := waitJob(ctx, c, name, func(job *batchv1.Job) bool { return final(job) != nil })
	require.NoError(t, err, "Job %s did not end", name)
	return job
}

func waitJob(ctx context.Context, c *fakecluster.Cluster, name string, done func(*batchv1.Job) bool) (*batchv1.Job, error) {
	jobs := c.Clientset().BatchV1().Jobs(ns)
	w, err := jobs.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + name})
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	for {
		select {
		case event, ok := <-w.ResultChan():
			if !ok {
				return nil, fmt.Errorf("the watch ended")
			}
			if job, ok := event.Object.(*batchv1.Job); ok && done(job) {
				return job, nil
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// waitPod waits until a pod of the Job satisfies done.
func waitPod(t *testing.T, c *fakecluster.Cluster, job string, done func(*corev1.Pod) bool) *corev1.Pod {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	w, err := c.Clientset().CoreV1().Pods(ns).Watch(ctx, metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	require.NoError(t, err)
	defer w.Stop()
	for {
		select {
		case event, ok := <-w.ResultChan():
			require.True(t, ok, "the watch ended")
			if pod, ok := event.Object.(*corev1.Pod); ok && done(pod) {
				return pod
			}
		case <-ctx.Done():
			require.FailNow(t, "no pod of Job "+job+" came to that state")
		}
	}
}

func running(pod *corev1.Pod) bool { return pod.Status.Phase == corev1.PodRunning }

func final(job *batchv1.Job) *batchv1.JobCondition {
	for _, c := range job.Status.Conditions {
		if (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) && c.Status == corev1.ConditionTrue {
			return &c
		}
	}
	return nil
}

// outcome returns the final condition in the form "Failed/BackoffLimitExceeded".
func outcome(job *batchv1.Job) string {
	c := final(job)
	if c == nil {
		return ""
	}
	return string(c.Type) + "/" + c.Reason
}

// podsOf returns the Job's pods, oldest first.
func podsOf(t *testing.T, c *fakecluster.Cluster, job string) []corev1.Pod {
	t.Helper()
	list, err := c.Clientset().CoreV1().Pods(ns).List(t.Context(), metav1.ListOptions{LabelSelector: batchv1.JobNameLabel + "=" + job})
	require.NoError(t, err)
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int {
		if byTime := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); byTime != 0 {
			return byTime
		}
		return strings.Compare(a.Name, b.Name)
	})
	return list.Items
}

func logsOf(t *testing.T, c *fakecluster.Cluster, pod string, opts corev1.PodLogOptions) string {
	t.Helper()
	data, err := c.Clientset().CoreV1().Pods(ns).GetLogs(pod, &opts).DoRaw(t.Context())
	require.NoError(t, err)
	return string(data)
}
