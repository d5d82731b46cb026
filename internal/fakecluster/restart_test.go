package fakecluster_test

import (
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// persisted starts a cluster whose objects and logs are in the directory.
func persisted(t *testing.T, dir string, scripts map[string][]containers.Script, edit ...func(*fakecluster.Options)) *fakecluster.Cluster {
	t.Helper()
	var opts fakecluster.Options
	opts.Kubelet.LogDir = filepath.Join(dir, "logs")
	for _, e := range edit {
		e(&opts)
	}
	c := fakecluster.New(opts)
	for container, list := range scripts {
		c.On(containers.Match{Container: container}, list...)
	}
	require.NoError(t, c.APIServer().Persist(filepath.Join(dir, "objects")))
	require.NoError(t, c.Start(t.Context()))
	t.Cleanup(c.Stop)
	return c
}

// crash returns a copy of the directory, which is what a program that is killed at this
// moment leaves. The cluster does not know, and lives until the end of the test.
func crash(t *testing.T, dir string) string {
	t.Helper()
	copied := t.TempDir()
	require.NoError(t, os.CopyFS(copied, os.DirFS(dir)))
	return copied
}

var forever = containers.Script{Run: containers.Forever, Log: []containers.LogLine{{Text: "first"}}}

func restartsOnFailure(job *batchv1.Job) {
	job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
}

func retries(n int32) func(*batchv1.Job) {
	return func(job *batchv1.Job) { job.Spec.BackoffLimit = &n }
}

func withInit(job *batchv1.Job) {
	job.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "init", Image: "busybox:1"}}
}

// TestRestartFailsRunningPod: a pod that never restarts its containers fails as one whose
// node has rebooted, and the Job retries it as its backoffLimit allows.
func TestRestartFailsRunningPod(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		limit   int32
		outcome string
		pods    int
	}{
		"retried":     {1, "Complete/CompletionsReached", 2},
		"not retried": {0, "Failed/BackoffLimitExceeded", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				c := persisted(t, dir, map[string][]containers.Script{"main": {forever}})
				create(t, c, newJob("job", retries(tc.limit)))
				before := waitPod(t, c, "job", running)
				synctest.Wait()

				copied := crash(t, dir)
				<-time.After(time.Minute)
				again := persisted(t, copied, map[string][]containers.Script{"main": {{}}})
				require.Equal(t, tc.outcome, outcome(ended(t, again, "job")))
				pods := podsOf(t, again, "job")
				require.Len(t, pods, tc.pods)
				require.Equal(t, before.UID, pods[0].UID)
				require.Equal(t, corev1.PodFailed, pods[0].Status.Phase)
				require.True(t, before.Status.StartTime.Equal(pods[0].Status.StartTime))
				end := pods[0].Status.ContainerStatuses[0].State.Terminated
				require.NotNil(t, end)
				require.Equal(t, int32(255), end.ExitCode)
				require.Equal(t, "Unknown", end.Reason)
				require.Equal(t, before.Status.ContainerStatuses[0].State.Running.StartedAt.Unix(), end.StartedAt.Unix())
				require.Equal(t, "first\n", logsOf(t, again, pods[0].Name, corev1.PodLogOptions{}))
			})
		})
	}
}

// TestRestartRestartsContainers: a pod that restarts its containers does so in a new
// sandbox: its init containers run again, and containers that have succeeded do not.
func TestRestartRestartsContainers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := persisted(t, dir, map[string][]containers.Script{"main": {forever}, "done": {{}}, "init": {{}}})
		create(t, c, newJob("job", restartsOnFailure, retries(6), withInit, func(job *batchv1.Job) {
			spec := &job.Spec.Template.Spec
			spec.Containers = append(spec.Containers, corev1.Container{Name: "done", Image: "busybox:1"})
		}))
		before := waitPod(t, c, "job", func(pod *corev1.Pod) bool {
			return running(pod) && pod.Status.ContainerStatuses[0].State.Terminated != nil // done
		})
		synctest.Wait()

		again := persisted(t, crash(t, dir), map[string][]containers.Script{
			"main": {{Log: []containers.LogLine{{Text: "second"}}}}, "done": {{Exit: containers.Exit{Code: 9}}}, "init": {{}},
		})
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, again, "job")))
		pods := podsOf(t, again, "job")
		require.Len(t, pods, 1)
		require.Equal(t, before.UID, pods[0].UID)
		statuses := pods[0].Status.ContainerStatuses
		require.Zero(t, statuses[0].RestartCount, "done")
		require.Equal(t, int32(1), statuses[1].RestartCount, "main")
		require.Equal(t, int32(255), statuses[1].LastTerminationState.Terminated.ExitCode)
		require.Equal(t, int32(1), pods[0].Status.InitContainerStatuses[0].RestartCount)
		require.Equal(t, "second\n", logsOf(t, again, pods[0].Name, corev1.PodLogOptions{Container: "main"}))
		require.Equal(t, "first\n", logsOf(t, again, pods[0].Name, corev1.PodLogOptions{Container: "main", Previous: true}))
	})
}

// TestRestartKeepsFinished: a Job that has finished stays as it is, with its logs, until its
// TTL is over.
func TestRestartKeepsFinished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := persisted(t, dir, map[string][]containers.Script{"main": {
			{Log: []containers.LogLine{{Text: "one"}, {Text: "two"}}, Exit: containers.Exit{Code: 1}}, {Log: []containers.LogLine{{Text: "three"}}},
		}})
		create(t, c, newJob("job", restartsOnFailure, retries(6), func(job *batchv1.Job) { job.Spec.TTLSecondsAfterFinished = ptr.To[int32](3600) }))
		finished := ended(t, c, "job")
		pods := podsOf(t, c, "job")
		synctest.Wait()
		<-time.After(30 * time.Minute)

		copied := crash(t, dir)
		again := persisted(t, copied, nil)
		synctest.Wait()
		job, err := again.Clientset().BatchV1().Jobs(ns).Get(t.Context(), "job", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, finished, job)
		require.Equal(t, pods, podsOf(t, again, "job"))
		require.Equal(t, "three\n", logsOf(t, again, pods[0].Name, corev1.PodLogOptions{}))
		require.Equal(t, "one\ntwo\n", logsOf(t, again, pods[0].Name, corev1.PodLogOptions{Previous: true}))
		require.Equal(t, "two\n", logsOf(t, again, pods[0].Name, corev1.PodLogOptions{Previous: true, TailLines: ptr.To[int64](1)}))
		require.DirExists(t, filepath.Join(copied, "logs", string(pods[0].UID)))

		began := time.Now()
		w, err := again.Clientset().BatchV1().Jobs(ns).Watch(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		defer w.Stop()
		for event := range w.ResultChan() {
			if event.Type == "DELETED" {
				break
			}
		}
		require.InDelta(t, 30*time.Minute, time.Since(began), float64(2*time.Second))
		synctest.Wait()
		require.NoDirExists(t, filepath.Join(copied, "logs", string(pods[0].UID)), "the logs go with the pod")
	})
}

// TestRestartContinuesDeadlines: the deadline of a Job counts from its first start, and a
// Job whose deadline passed while there was no cluster fails at once.
func TestRestartContinuesDeadlines(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ down, left time.Duration }{
		"before": {10 * time.Second, 50 * time.Second},
		"after":  {2 * time.Minute, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				c := persisted(t, dir, map[string][]containers.Script{"main": {forever}})
				create(t, c, newJob("job", retries(6), func(job *batchv1.Job) { job.Spec.ActiveDeadlineSeconds = ptr.To[int64](60) }))
				waitPod(t, c, "job", running)
				synctest.Wait()
				copied := crash(t, dir)
				<-time.After(tc.down)
				began := time.Now()
				again := persisted(t, copied, map[string][]containers.Script{"main": {forever}})
				require.Equal(t, "Failed/DeadlineExceeded", outcome(ended(t, again, "job")))
				require.InDelta(t, tc.left, time.Since(began), float64(3*time.Second))
			})
		})
	}
}

// TestRestartEndsDeletion: a pod that was being deleted is gone after the restart, as are the
// dependents of an owner that was deleted while there was no garbage collector.
func TestRestartEndsDeletion(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		stubborn := forever
		stubborn.IgnoreTERM = true
		c := persisted(t, dir, map[string][]containers.Script{"main": {stubborn}})
		pods := c.Clientset().CoreV1().Pods(ns)
		_, err := pods.Create(t.Context(), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "deleted"},
			Spec: corev1.PodSpec{
				Containers:                    []corev1.Container{{Name: "main", Image: "busybox:1"}},
				TerminationGracePeriodSeconds: ptr.To[int64](3600),
			},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, pods.Delete(t.Context(), "deleted", metav1.DeleteOptions{}))
		owner, err := c.CreateOwner(t.Context(), ns, "owner")
		require.NoError(t, err)
		create(t, c, newJob("owned", func(job *batchv1.Job) { job.OwnerReferences = []metav1.OwnerReference{owner} }))
		synctest.Wait()
		c.Stop()
		// The server is gone too, so the owner is deleted by another one without controllers.
		alone := fakecluster.New(fakecluster.Options{})
		require.NoError(t, alone.APIServer().Persist(filepath.Join(dir, "objects")))
		require.NoError(t, alone.Clientset().CoreV1().ConfigMaps(ns).Delete(t.Context(), "owner", metav1.DeleteOptions{}))
		alone.Stop()

		again := persisted(t, dir, nil)
		<-time.After(time.Minute)
		_, err = again.Clientset().CoreV1().Pods(ns).Get(t.Context(), "deleted", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		_, err = again.Clientset().BatchV1().Jobs(ns).Get(t.Context(), "owned", metav1.GetOptions{})
		require.True(t, apierrors.IsNotFound(err), "%v", err)
		left, err := os.ReadDir(filepath.Join(dir, "logs"))
		require.NoError(t, err)
		require.Empty(t, left)
	})
}

// TestRestartBetweenContainers: a pod that never restarts its containers has lost its
// sandbox, so what it has not started will not start.
func TestRestartBetweenContainers(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		init, main containers.Script
		want       func(t *testing.T, pod *corev1.Pod)
	}{
		"during the init container": {forever, containers.Script{}, func(t *testing.T, pod *corev1.Pod) {
			require.Equal(t, int32(255), pod.Status.InitContainerStatuses[0].State.Terminated.ExitCode)
			require.NotNil(t, pod.Status.ContainerStatuses[0].State.Waiting)
		}},
		"after the init container": {containers.Script{}, containers.Script{PullTime: time.Hour}, func(t *testing.T, pod *corev1.Pod) {
			require.NotNil(t, pod.Status.ContainerStatuses[0].State.Terminated)
			require.Equal(t, "ContainerStatusUnknown", pod.Status.ContainerStatuses[0].State.Terminated.Reason)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir()
				c := persisted(t, dir, map[string][]containers.Script{"init": {tc.init}, "main": {tc.main}})
				create(t, c, newJob("job", withInit))
				synctest.Wait()
				again := persisted(t, crash(t, dir), map[string][]containers.Script{"init": {{}}, "main": {{}}})
				require.Equal(t, "Failed/BackoffLimitExceeded", outcome(ended(t, again, "job")))
				pod := podsOf(t, again, "job")[0]
				require.Equal(t, corev1.PodFailed, pod.Status.Phase)
				tc.want(t, &pod)
			})
		})
	}
}

// TestRestartAfterLastContainer: a pod whose containers have all succeeded has succeeded, and
// runs nothing again, though its final phase was not written yet.
func TestRestartAfterLastContainer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := persisted(t, dir, nil, func(o *fakecluster.Options) { o.Kubelet.PhaseDelay = time.Hour })
		create(t, c, newJob("job", restartsOnFailure, withInit))
		waitPod(t, c, "job", func(pod *corev1.Pod) bool {
			s := pod.Status.ContainerStatuses
			return running(pod) && len(s) > 0 && s[0].State.Terminated != nil
		})
		synctest.Wait()
		again := persisted(t, crash(t, dir), map[string][]containers.Script{"": {{Exit: containers.Exit{Code: 1}}}})
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, again, "job")))
		pod := podsOf(t, again, "job")[0]
		require.Zero(t, pod.Status.InitContainerStatuses[0].RestartCount)
	})
}

// TestRestartNode: a node that was dead is ready after a restart.
func TestRestartNode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := persisted(t, dir, nil)
		require.NoError(t, c.KillNode(t.Context(), "node-1"))
		again := persisted(t, crash(t, dir), nil)
		node, err := again.Clientset().CoreV1().Nodes().Get(t.Context(), "node-1", metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, corev1.ConditionTrue, node.Status.Conditions[0].Status)
	})
}
