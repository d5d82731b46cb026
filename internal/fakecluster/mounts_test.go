package fakecluster_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// mountSecret shows the key token of the Secret creds as the file /run/a/b, and all keys
// below /all.
func mountSecret(job *batchv1.Job) {
	spec := &job.Spec.Template.Spec
	volume := func(name string, items ...corev1.KeyToPath) corev1.Volume {
		return corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "creds", Items: items}}}
	}
	spec.Volumes = []corev1.Volume{volume("one", corev1.KeyToPath{Key: "token", Path: "x/y"}), volume("all")}
	spec.Containers[0].VolumeMounts = []corev1.VolumeMount{
		{Name: "one", MountPath: "/run/a/b", SubPath: "x/y"}, {Name: "all", MountPath: "/all"},
	}
}

// TestMountedFiles: no container starts without its Secret and the key that it refers to.
func TestMountedFiles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		seen := make(chan map[string]string, 1)
		c.On(containers.Match{}, containers.Script{Do: func(_ context.Context, spec containers.Spec) containers.Exit {
			seen <- spec.Files
			return containers.Exit{}
		}})
		create(t, c, newJob("job", mountSecret))
		waitPod(t, c, "job", waitsWith("ContainerCreating"))
		after(time.Minute)
		createSecret(t, c, "creds", map[string]string{"other": "o"})
		after(time.Minute)
		waitPod(t, c, "job", waitsWith("ContainerCreating"))
		require.ElementsMatch(t, []string{
			`MountVolume.SetUp failed for volume "one" : secret "creds" not found`,
			`MountVolume.SetUp failed for volume "one" : references non-existent secret key: token`,
		}, messages(t, c, "FailedMount"))
		require.NoError(t, c.Clientset().CoreV1().Secrets(ns).Delete(t.Context(), "creds", metav1.DeleteOptions{}))
		createSecret(t, c, "creds", map[string]string{"other": "o", "token": "t"})
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
		require.Equal(t, map[string]string{"/run/a/b": "t", "/all/token": "t", "/all/other": "o"}, <-seen)
	})
}
