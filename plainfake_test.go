package kontinue_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	k8stesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/simtest"
)

// client-go's fake clientset stores objects and sends watch events. It assigns no
// UIDs and has no Job controller. A test that only needs a step to end with some
// exit code can act as the controller in a few lines; for anything else there is
// package kontinuetest.

// endJob acts as the Job controller and the kubelet: it ends the Job and adds one pod with
// that exit code. The pod comes last, since it ends the step, and the fake clientset would
// replace the record on the Job by the object that UpdateStatus is given.
func endJob(ctx context.Context, t *testing.T, clientset *fake.Clientset, job *batchv1.Job, exitCode int32) {
	t.Helper()
	phase, condition := corev1.PodSucceeded, batchv1.JobComplete
	job.Status.Succeeded = 1
	if exitCode != 0 {
		phase, condition = corev1.PodFailed, batchv1.JobFailed
		job.Status.Succeeded, job.Status.Failed = 0, 1
	}
	job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: condition, Status: corev1.ConditionTrue})
	_, err := clientset.BatchV1().Jobs(job.Namespace).UpdateStatus(ctx, job, metav1.UpdateOptions{})
	require.NoError(t, err)
	_, err = clientset.CoreV1().Pods(job.Namespace).Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: job.Namespace, Name: job.Name + "-x7k2p", Labels: job.Spec.Template.Labels,
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(job, batchv1.SchemeGroupVersion.WithKind("Job"))},
		},
		Spec: job.Spec.Template.Spec,
		Status: corev1.PodStatus{Phase: phase, ContainerStatuses: []corev1.ContainerStatus{{
			Name:  job.Spec.Template.Spec.Containers[0].Name,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: exitCode, Reason: "Completed"}},
		}}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// plainExecution is one on a plain fake clientset, which does not look for its owner.
var plainExecution = kontinue.Execution{
	Owner: metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "deploy", UID: "uid-of-deploy"},
}

// plainClient starts a client that is stopped with the test.
func plainClient(t *testing.T, clientset *fake.Clientset) *kontinue.Client {
	t.Helper()
	client, err := kontinue.New(kontinue.Config{Clientset: clientset, Namespace: "ns"})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.Stop(context.Background())) })
	return client
}

func TestPlainFakeClientset(t *testing.T) {
	t.Parallel()
	for name, exitCode := range map[string]int32{"success": 0, "failure": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				clientset := fake.NewClientset()
				client := plainClient(t, clientset)
				ktx, err := client.NewExecutionContext(t.Context(), plainExecution)
				require.NoError(t, err)

				var result *kontinue.PodResult
				done := make(chan struct{})
				go func() {
					defer close(done)
					result, err = kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "alpine:3", Command: "true"})
				}()
				synctest.Wait() // the step has created its Job and waits
				list, listErr := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
				require.NoError(t, listErr)
				require.Len(t, list.Items, 1)
				endJob(t.Context(), t, clientset, &list.Items[0], exitCode)
				<-done

				require.NoError(t, err)
				require.Equal(t, exitCode == 0, result.Succeeded())
				if exitCode != 0 {
					var failed *kontinue.ExitError
					require.ErrorAs(t, result.Err(), &failed)
					require.Equal(t, exitCode, failed.ExitCode)
					require.Equal(t, "script", failed.Container)
				}
				logs, err := result.Logs(ktx, nil)
				require.NoError(t, err)
				require.Equal(t, "fake logs", logs)

				// A worker that is restarted reads the recorded result.
				again, err := client.NewExecutionContext(t.Context(), ktx.Execution())
				require.NoError(t, err)
				began := time.Now()
				resumed, err := kontinue.RunScript(again, &kontinue.ScriptOptions{Image: "alpine:3", Command: "true"})
				require.NoError(t, err)
				require.True(t, resumed.Resumed())
				require.Equal(t, result.Message, resumed.Message)
				require.Equal(t, result.Phase, resumed.Phase)
				require.Zero(t, time.Since(began))
			})
		})
	}
}

// TestRecordedBetweenPlanAndWait: the watch ceases to show a Job after the step has
// adopted it and before the step waits, so no event about it is left to come.
func TestRecordedBetweenPlanAndWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clientset := fake.NewClientset()
		client := plainClient(t, clientset)
		run := func(command string) (*kontinue.PodResult, error) {
			ktx, err := client.NewExecutionContext(t.Context(), plainExecution)
			require.NoError(t, err)
			return kontinue.RunScript(ktx, simtest.Script("a", command))
		}
		only := func() *batchv1.Job {
			list, err := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			require.Len(t, list.Items, 1)
			return &list.Items[0]
		}
		done := make(chan error, 1)
		go func() {
			_, err := run("true")
			done <- err
		}()
		synctest.Wait()
		running := only()
		endJob(t.Context(), t, clientset, running.DeepCopy(), 0)
		require.NoError(t, <-done)
		recorded := only()

		jobs := batchv1.SchemeGroupVersion.WithResource("jobs")
		require.NoError(t, clientset.Tracker().Update(jobs, running, "ns"))
		synctest.Wait()
		// The step reads the Job that it adopts, since its spec is another one.
		clientset.PrependReactor("get", "jobs", func(k8stesting.Action) (bool, runtime.Object, error) {
			require.NoError(t, clientset.Tracker().Update(jobs, recorded, "ns"))
			synctest.Wait()
			return false, nil, nil
		})
		began := time.Now()
		resumed, err := run("false")
		require.NoError(t, err)
		require.True(t, resumed.Succeeded())
		require.NotEmpty(t, resumed.Drift())
		require.Zero(t, time.Since(began))
	})
}

// TestFakeTimesAreNoEvidence: the fake clientset gives objects no times, but a test may give
// some to one. A step that waits for its Job meanwhile has not waited since the year 1.
func TestFakeTimesAreNoEvidence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clientset := fake.NewClientset()
		client := plainClient(t, clientset)
		ktx, err := client.NewExecutionContext(t.Context(), plainExecution)
		require.NoError(t, err)
		done := make(chan error, 2)
		for _, name := range []string{"a", "b"} {
			go func() {
				r, err := kontinue.RunScript(ktx, simtest.Script(name, "true"))
				if err == nil {
					err = r.Err()
				}
				done <- err
			}()
		}
		synctest.Wait()
		list, err := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 2)
		timed := list.Items[1].DeepCopy()
		timed.Status.StartTime = new(metav1.Now())
		_, err = clientset.BatchV1().Jobs("ns").UpdateStatus(t.Context(), timed, metav1.UpdateOptions{})
		require.NoError(t, err)
		<-time.After(9 * time.Minute)
		list, err = clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for i := range list.Items {
			require.NotContains(t, list.Items[i].Annotations, "kontinue.cloud/gave-up")
			endJob(t.Context(), t, clientset, &list.Items[i], 0)
		}
		require.NoError(t, <-done)
		require.NoError(t, <-done)
	})
}
