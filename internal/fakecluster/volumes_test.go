//go:build unix

package fakecluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue/internal/fakecluster"
)

// volumes adds volumes to the pod and mounts each one at the path with its name.
func volumes(sources map[string]corev1.VolumeSource) func(*batchv1.Job) {
	return func(job *batchv1.Job) {
		spec := &job.Spec.Template.Spec
		for name, source := range sources {
			spec.Volumes = append(spec.Volumes, corev1.Volume{Name: name, VolumeSource: source})
			for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
				for i := range list {
					list[i].VolumeMounts = append(list[i].VolumeMounts, corev1.VolumeMount{Name: name, MountPath: "/" + name})
				}
			}
		}
	}
}

var emptyDir = map[string]corev1.VolumeSource{"work": {EmptyDir: &corev1.EmptyDirVolumeSource{}}}

// mainContainer changes the main container.
func mainContainer(edit func(*corev1.Container)) func(*batchv1.Job) {
	return func(job *batchv1.Job) { edit(&job.Spec.Template.Spec.Containers[0]) }
}

func createConfigMap(t *testing.T, c *fakecluster.Cluster, name string, data map[string]string) *corev1.ConfigMap {
	t.Helper()
	created, err := c.Clientset().CoreV1().ConfigMaps(ns).Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Data: data,
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	return created
}

// logOf runs a Job that succeeds, and returns the log of its main container without the
// last newline.
func logOf(t *testing.T, c *fakecluster.Cluster, edit ...func(*batchv1.Job)) string {
	t.Helper()
	create(t, c, newJob("job", edit...))
	job := ended(t, c, "job")
	pod := podsOf(t, c, "job")[0]
	log := logsOf(t, c, pod.Name, corev1.PodLogOptions{Container: "main"})
	require.Equal(t, "Complete/CompletionsReached", outcome(job), log)
	return strings.TrimSuffix(log, "\n")
}

// TestSharedVolume: the containers of a pod share a volume, each by a path of its own, and
// it is removed when the pod has ended.
func TestSharedVolume(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	log := logOf(t, c, shell(`cat /work/deep/file; cat "$FILE"; cat file; cd /work; pwd`), func(job *batchv1.Job) {
		job.Spec.Template.Spec.InitContainers = []corev1.Container{{
			Name: "setup", Image: "busybox:1", Command: []string{"/bin/sh", "-c", "mkdir $(DIR)/deep; echo from setup > $(DIR)/deep/file"},
			Env: []corev1.EnvVar{{Name: "DIR", Value: "/work"}},
		}}
	}, volumes(emptyDir), mainContainer(func(c *corev1.Container) {
		c.WorkingDir = "/data/deep"
		c.Env = []corev1.EnvVar{{Name: "FILE", Value: "/data/deep/file"}}
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "work", MountPath: "/data"})
	}))
	text, dir, _ := strings.Cut(log, "/")
	require.Equal(t, strings.Repeat("from setup\n", 3), text)
	requireRemoved(t, filepath.Dir("/"+dir))
}

// requireRemoved waits until a directory is gone.
func requireRemoved(t *testing.T, dir string) {
	t.Helper()
	require.Contains(t, dir, "kontinue-pod-")
	require.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, 30*time.Second, 10*time.Millisecond)
}

// TestVolumeOfRestart: a restarted container finds what its predecessor left.
func TestVolumeOfRestart(t *testing.T) {
	t.Parallel()
	opts := fakecluster.Options{LocalProcesses: true}
	opts.Kubelet.BackoffScale = 1e-3
	c := newCluster(t, opts)
	log := logOf(t, c, shell(`if [ -e /work/second ]; then cat /work/second; exit 0; fi; echo first > /work/second; exit 1`), volumes(emptyDir), func(job *batchv1.Job) {
		job.Spec.BackoffLimit = ptr.To[int32](6)
		job.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	})
	require.Equal(t, "first", log)
}

// TestVolumeOfDeletedPod: the volumes of a pod that is deleted while it runs are removed.
func TestVolumeOfDeletedPod(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	pod, dir := runsWithVolume(t, c)
	require.NoError(t, c.DeletePod(t.Context(), ns, pod.Name))
	requireRemoved(t, dir)
}

// TestVolumesOfStoppedCluster: Stop removes the volumes of pods that are running.
func TestVolumesOfStoppedCluster(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	_, dir := runsWithVolume(t, c)
	c.Stop()
	require.NoDirExists(t, dir)
}

// runsWithVolume starts a pod that runs until it is stopped, and returns the directory of
// its volumes.
func runsWithVolume(t *testing.T, c *fakecluster.Cluster) (*corev1.Pod, string) {
	t.Helper()
	create(t, c, newJob("job", shell("echo /work; exec tail -f /dev/null"), volumes(emptyDir)))
	pod := waitPod(t, c, "job", running)
	stream, err := c.Clientset().CoreV1().Pods(ns).GetLogs(pod.Name, &corev1.PodLogOptions{Follow: true}).Stream(t.Context())
	require.NoError(t, err)
	defer stream.Close()
	line := make([]byte, 300)
	n, err := stream.Read(line)
	require.NoError(t, err)
	dir := strings.TrimSpace(string(line[:n]))
	require.DirExists(t, dir)
	return pod, filepath.Dir(dir)
}

// TestVolumesOfObjects: volumes show ConfigMaps, Secrets and fields of the pod as files.
func TestVolumesOfObjects(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	createConfigMap(t, c, "settings", map[string]string{"a": "A", "b": "B"})
	createSecret(t, c, "creds", map[string]string{"token": "t"})
	fields := []corev1.DownwardAPIVolumeFile{
		{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}},
		{Path: "cpu", ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: "main", Resource: "requests.cpu"}},
	}
	named := corev1.LocalObjectReference{Name: "settings"}
	absent := corev1.LocalObjectReference{Name: "absent"}
	sources := map[string]corev1.VolumeSource{
		"all":  {ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named}},
		"some": {ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named, Items: []corev1.KeyToPath{{Key: "a", Path: "x/y", Mode: ptr.To[int32](0o500)}}}},
		"none": {ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: absent, Optional: ptr.To(true)}},
		"part": {ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: named, Optional: ptr.To(true), DefaultMode: ptr.To[int32](0o400),
			Items: []corev1.KeyToPath{{Key: "a", Path: "a"}, {Key: "absent", Path: "absent"}},
		}},
		"creds": {Secret: &corev1.SecretVolumeSource{SecretName: "creds"}},
		"pod":   {DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: fields}},
		"mixed": {Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: named}},
			{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "creds"}, Items: []corev1.KeyToPath{{Key: "token", Path: "b"}}}},
			{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{Path: "name", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}}}},
		}}},
	}
	log := logOf(t, c, shell(`cd /all; grep -r . . | sort; cd /some; grep -r . . ; ls /none; cd /part; grep -r . .; cd /creds; grep -r . .; cat /pod/cpu; echo; cat /pod/labels; echo; cd /mixed; grep -r . . | sort; stat -c %a /all/a /some/x/y /part/a; cat /single`),
		volumes(sources), mainContainer(func(c *corev1.Container) {
			c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: "all", MountPath: "/single", SubPath: "b"})
			c.Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1500m")}
		}), func(job *batchv1.Job) { job.Spec.Template.Labels = map[string]string{"app": "x"} })
	require.Regexp(t, `^./a:A
./b:B
./x/y:A
./a:A
./token:t
2
app="x"
(batch\.kubernetes\.io/|)controller-uid="[^"]+"
(?s:.*)
./a:A
./b:t
./name:work
644
500
400
B$`, log)
}

// TestVolumeFollowsItsObject: the files change with the ConfigMap while a container runs.
func TestVolumeFollowsItsObject(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	settings := createConfigMap(t, c, "settings", map[string]string{"old": "1", "value": "1"})
	create(t, c, newJob("job", shell(`echo up; until [ -e /settings/new ] && [ ! -e /settings/old ]; do sleep 0.01; done; cat /settings/value`),
		volumes(map[string]corev1.VolumeSource{"settings": {ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}})))
	pod := waitPod(t, c, "job", running)
	awaitLog(t, c, pod.Name, "up\n")
	settings.Data = map[string]string{"value": "2", "new": ""}
	_, err := c.Clientset().CoreV1().ConfigMaps(ns).Update(t.Context(), settings, metav1.UpdateOptions{})
	require.NoError(t, err)
	ended(t, c, "job")
	require.Equal(t, "up\n2", logsOf(t, c, pod.Name, corev1.PodLogOptions{}))
}

// TestSubPaths: a subPath is a directory of the volume, or a file, and may depend on the
// environment.
func TestSubPaths(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	log := logOf(t, c, shell("echo 1 > /one/x; echo 2 > /two/x; cd /work; grep -r . . | sort"), volumes(emptyDir), mainContainer(func(c *corev1.Container) {
		c.Env = []corev1.EnvVar{{Name: "NAME", Value: "second"}}
		c.VolumeMounts = append(c.VolumeMounts,
			corev1.VolumeMount{Name: "work", MountPath: "/one", SubPath: "first/deep"},
			corev1.VolumeMount{Name: "work", MountPath: "/two", SubPathExpr: "$(NAME)"})
	}))
	require.Equal(t, "./first/deep/x:1\n./second/x:2", log)
}

// TestTerminationMessagePath: the path of the termination message is that of a file of the
// container.
func TestTerminationMessagePath(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"default": "/dev/termination-log", "own": "/var/run/message"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			end, _ := runLocally(t, shell("[ -f "+path+" ] && echo result > "+path), mainContainer(func(c *corev1.Container) {
				if name == "own" {
					c.TerminationMessagePath = path
				}
			}))
			require.Equal(t, "result\n", end.Message)
		})
	}
}

// TestRefusedVolumes: a volume that a local process cannot have keeps its pod waiting, with
// an event that says why.
func TestRefusedVolumes(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		source corev1.VolumeSource
		event  string
	}{
		"host": {
			corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}},
			"a hostPath is refused where containers are local processes",
		},
		"token": {
			corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}}}}},
			"projects only Secrets, ConfigMaps and fields of the pod",
		},
		"nfs": {
			corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "s", Path: "/"}},
			"has no volumes of this type",
		},
		"absent": {
			corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "x"}}},
			`configmap "x" not found`,
		},
		"key": {
			corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{Secret: &corev1.SecretProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "creds"}, Items: []corev1.KeyToPath{{Key: "k", Path: "k"}}}},
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "y"}}},
			}}},
			`[references non-existent secret key: k, configmap "y" not found]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t, fakecluster.Options{LocalProcesses: true})
			createSecret(t, c, "creds", map[string]string{"token": "t"})
			create(t, c, newJob("job", shell("true"), volumes(map[string]corev1.VolumeSource{name: tc.source})))
			waitPod(t, c, "job", waitsWith("ContainerCreating"))
			require.Eventually(t, func() bool { return len(messages(t, c, "FailedMount")) > 0 }, 30*time.Second, 10*time.Millisecond)
			message := messages(t, c, "FailedMount")[0]
			require.Contains(t, message, `MountVolume.SetUp failed for volume "`+name+`" : `)
			require.Contains(t, message, tc.event)
			waitPod(t, c, "job", waitsWith("ContainerCreating"))
		})
	}
}

// TestClaim: a pod waits for its PersistentVolumeClaim, whose contents outlive the pod, but
// not the claim.
func TestClaim(t *testing.T) {
	t.Parallel()
	c := newCluster(t, fakecluster.Options{LocalProcesses: true})
	claims := c.Clientset().CoreV1().PersistentVolumeClaims(ns)
	newClaim := func() {
		_, err := claims.Create(t.Context(), &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: "data"}}, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	count := func(name string) string {
		create(t, c, newJob(name, shell("echo "+name+" >> /data/log; cat /data/log"), volumes(map[string]corev1.VolumeSource{
			"data": {PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}},
		})))
		if name == "first" {
			pod := waitPod(t, c, name, func(pod *corev1.Pod) bool { return len(pod.Status.Conditions) > 0 })
			require.Equal(t, corev1.PodReasonUnschedulable, pod.Status.Conditions[0].Reason)
			require.Contains(t, pod.Status.Conditions[0].Message, `persistentvolumeclaim "data" not found`)
			newClaim()
		}
		require.Equal(t, "Complete/CompletionsReached", outcome(ended(t, c, name)))
		return logsOf(t, c, podsOf(t, c, name)[0].Name, corev1.PodLogOptions{})
	}
	require.Equal(t, "first\n", count("first"))
	require.Equal(t, "first\nsecond\n", count("second"))
	claim, err := claims.Get(t.Context(), "data", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, corev1.ClaimBound, claim.Status.Phase)
	require.NoError(t, claims.Delete(t.Context(), "data", metav1.DeleteOptions{}))
	newClaim()
	require.Equal(t, "third\n", count("third"))
}
