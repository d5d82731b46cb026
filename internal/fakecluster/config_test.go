package fakecluster_test

import (
	"context"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

func createSecret(t *testing.T, c *fakecluster.Cluster, name string, data map[string]string) {
	t.Helper()
	_, err := c.Clientset().CoreV1().Secrets(ns).Create(t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: name}, StringData: data,
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

func secretEnv(secret, key string) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		main := &job.Spec.Template.Spec.Containers[0]
		main.Env = append(main.Env, corev1.EnvVar{Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: secret}, Key: key,
		}}})
	}
}

func TestMissingSecretInEnv(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		create(t, c, newJob("absent", secretEnv("creds", "token")))
		pod := waitPod(t, c, "absent", waitsWith("CreateContainerConfigError"))
		require.Equal(t, `secret "creds" not found`, pod.Status.ContainerStatuses[0].State.Waiting.Message)
		createSecret(t, c, "creds", map[string]string{"token": "t", "other": "o"})
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "absent")))

		create(t, c, newJob("nokey", secretEnv("creds", "password")))
		pod = waitPod(t, c, "nokey", waitsWith("CreateContainerConfigError"))
		require.Equal(t, "couldn't find key password in Secret work/creds", pod.Status.ContainerStatuses[0].State.Waiting.Message)
	})
}

func TestMissingVolume(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		create(t, c, newJob("job", func(job *batchv1.Job) {
			job.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "conf", VolumeSource: corev1.VolumeSource{
				ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "conf"}},
			}}}
		}))
		waitPod(t, c, "job", waitsWith("ContainerCreating"))
		after(time.Hour)
		require.Equal(t, []string{`MountVolume.SetUp failed for volume "conf" : configmap "conf" not found`}, messages(t, c, "FailedMount"))
		_, err := c.CreateOwner(t.Context(), ns, "conf")
		require.NoError(t, err)
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, "job")))
	})
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		createSecret(t, c, "creds", map[string]string{"token": "s3cret"})
		_, err := c.Clientset().CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Name: "conf"}, Data: map[string]string{"A": "a", "B": "b"},
		}, metav1.CreateOptions{})
		require.NoError(t, err)
		seen := make(chan []containers.EnvVar, 1)
		c.On(containers.Match{Where: func(spec containers.Spec) bool { return true }}, containers.Script{
			Do: func(_ context.Context, spec containers.Spec) containers.Exit {
				seen <- spec.Env
				return containers.Exit{}
			},
		})
		create(t, c, newJob("job", func(job *batchv1.Job) {
			main := &job.Spec.Template.Spec.Containers[0]
			main.EnvFrom = []corev1.EnvFromSource{{Prefix: "CONF_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "conf"}}}}
			main.Env = []corev1.EnvVar{
				{Name: "CONF_B", Value: "overridden"},
				{Name: "URL", Value: "db://$(CONF_A)/$(UNKNOWN)/$$(CONF_A)"},
				{Name: "POD", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels['job-name']"}}},
				{Name: "NODE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}},
				{Name: "OPTIONAL", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
					LocalObjectReference: corev1.LocalObjectReference{Name: "nope"}, Key: "k", Optional: ptr.To(true),
				}}},
			}
		}, secretEnv("creds", "token")))
		ended(t, c, "job")
		require.Equal(t, []containers.EnvVar{
			{Name: "CONF_A", Value: "a"},
			{Name: "CONF_B", Value: "overridden"},
			{Name: "URL", Value: "db://a/$(UNKNOWN)/$(CONF_A)"},
			{Name: "POD", Value: "job"},
			{Name: "NODE", Value: "node-1"},
			{Name: "TOKEN", Value: "s3cret"},
		}, <-seen)
	})
}

func TestLogOptions(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: time.Minute, Log: []containers.LogLine{
			{Text: "zero"}, {After: 10 * time.Second, Text: "ten"}, {After: 20 * time.Second, Text: "twenty"}, {After: 59 * time.Second, Text: "last"},
		}})
		create(t, c, newJob("job"))
		ended(t, c, "job")
		pod := podsOf(t, c, "job")[0]
		for name, tc := range map[string]struct {
			opts corev1.PodLogOptions
			want string
		}{
			"all":        {corev1.PodLogOptions{}, "zero\nten\ntwenty\nlast\n"},
			"tail":       {corev1.PodLogOptions{TailLines: ptr.To[int64](2)}, "twenty\nlast\n"},
			"no lines":   {corev1.PodLogOptions{TailLines: ptr.To[int64](0)}, ""},
			"too many":   {corev1.PodLogOptions{TailLines: ptr.To[int64](50)}, "zero\nten\ntwenty\nlast\n"},
			"bytes":      {corev1.PodLogOptions{LimitBytes: ptr.To[int64](7)}, "zero\nte"},
			"since":      {corev1.PodLogOptions{SinceSeconds: ptr.To[int64](45)}, "twenty\nlast\n"},
			"since time": {corev1.PodLogOptions{SinceTime: &metav1.Time{Time: time.Now().Add(-2 * time.Second)}}, "last\n"},
			"timestamps": {corev1.PodLogOptions{Timestamps: true, TailLines: ptr.To[int64](1)}, pod.Status.StartTime.Add(59*time.Second).UTC().Format("2006-01-02T15:04:05.000000000Z") + " last\n"},
			"follow":     {corev1.PodLogOptions{Follow: true}, "zero\nten\ntwenty\nlast\n"},
		} {
			require.Equal(t, tc.want, logsOf(t, c, pod.Name, tc.opts), name)
		}
	})
}

func TestFollowLogs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{}, containers.Script{Run: time.Minute, Log: []containers.LogLine{{Text: "zero"}, {After: 10 * time.Second, Text: "ten"}, {After: time.Hour, Text: "end"}}})
		create(t, c, newJob("job"))
		pod := waitPod(t, c, "job", running)
		began := time.Now()
		stream, err := c.Clientset().CoreV1().Pods(ns).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
		require.NoError(t, err)
		data, err := io.ReadAll(stream)
		require.NoError(t, err)
		require.NoError(t, stream.Close())
		require.Equal(t, "zero\nten\nend\n", string(data))
		require.Equal(t, time.Minute, time.Since(began))

		create(t, c, newJob("second"))
		pod = waitPod(t, c, "second", running)
		stream, err = c.Clientset().CoreV1().Pods(ns).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
		require.NoError(t, err)
		ended := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, stream)
			ended <- err
		}()
		after(time.Second)
		require.NoError(t, stream.Close())
		<-ended // closing ends a read that waits
	})
}

func TestLogErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, fakecluster.Options{})
		c.On(containers.Match{Job: "pulling"}, containers.Script{PullError: "ErrImagePull"})
		c.On(containers.Match{Job: "runs"}, containers.Script{Run: containers.Forever})
		create(t, c, newJob("pulling"))
		create(t, c, newJob("runs"))
		create(t, c, newJob("wide", cpu("1000")))
		pulling := waitPod(t, c, "pulling", waitsWith("ImagePullBackOff"))
		runs := waitPod(t, c, "runs", running)
		wide := waitPod(t, c, "wide", unschedulable)
		for _, tc := range []struct {
			pod  string
			opts corev1.PodLogOptions
			want string
		}{
			{"nope", corev1.PodLogOptions{}, `pods "nope" not found`},
			{runs.Name, corev1.PodLogOptions{Container: "nope"}, "container nope is not valid for pod " + runs.Name},
			{runs.Name, corev1.PodLogOptions{Previous: true}, `previous terminated container "main" in pod "` + runs.Name + `" not found`},
			{pulling.Name, corev1.PodLogOptions{}, `container "main" in pod "` + pulling.Name + `" is waiting to start: `},
		} {
			_, err := c.Clientset().CoreV1().Pods(ns).GetLogs(tc.pod, &tc.opts).Stream(t.Context())
			require.ErrorContains(t, err, tc.want)
		}
		require.Empty(t, logsOf(t, c, wide.Name, corev1.PodLogOptions{}), "a pod without a node has an empty log")
		require.NoError(t, c.KillNode(t.Context(), "node-1"))
		_, err := c.Clientset().CoreV1().Pods(ns).GetLogs(runs.Name, &corev1.PodLogOptions{}).Stream(t.Context())
		require.ErrorContains(t, err, "no route to host")
	})
}
