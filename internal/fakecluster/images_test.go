package fakecluster_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

func TestImageErrors(t *testing.T) {
	t.Parallel()
	for reason, script := range map[string]containers.Script{
		"ErrImagePull":               {PullError: "ErrImagePull", PullMessage: "manifest unknown", PullErrorFor: 45 * time.Second},
		"ImagePullBackOff":           {PullError: "ErrImagePull", PullErrorFor: 45 * time.Second},
		"ErrImageNeverPull":          {PullError: "ErrImageNeverPull", PullErrorFor: 45 * time.Second},
		"CreateContainerConfigError": {PullError: "CreateContainerConfigError", PullErrorFor: 45 * time.Second},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{})
				c.On(containers.Match{}, script)
				began := time.Now()
				create(t, c, newJob("job"))
				pod := waitPod(t, c, "job", waitsWith(reason))
				require.Equal(t, corev1.PodPending, pod.Status.Phase)
				require.Contains(t, pod.Status.ContainerStatuses[0].State.Waiting.Message, script.PullMessage)
				require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
				require.Equal(t, 45*time.Second, time.Since(began))
			})
		})
	}
}

func TestInvalidImageName(t *testing.T) {
	t.Parallel()
	for _, image := range []string{"Busybox", "busybox:", "a b"} {
		t.Run(image, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := newCluster(t, fakecluster.Options{})
				create(t, c, newJob("job", func(job *batchv1.Job) { job.Spec.Template.Spec.Containers[0].Image = image }))
				pod := waitPod(t, c, "job", waitsWith("InvalidImageName"))
				require.Contains(t, pod.Status.ContainerStatuses[0].State.Waiting.Message, "couldn't parse image name")
			})
		})
	}
}

func TestPullTakesTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{PullTime: time.Minute})
		began := time.Now()
		create(t, c, newJob("job"))
		waitPod(t, c, "job", waitsWith("ContainerCreating"))
		ended(t, c, "job")
		require.Equal(t, time.Minute, time.Since(began))
	})
}

func TestStartError(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{StartError: "no such file"})
		create(t, c, newJob("job"))
		ended(t, c, "job")
		end := podsOf(t, c, "job")[0].Status.ContainerStatuses[0].State.Terminated
		require.EqualValues(t, 128, end.ExitCode)
		require.Equal(t, "StartError", end.Reason)
		require.Equal(t, "no such file", end.Message)
	})
}
