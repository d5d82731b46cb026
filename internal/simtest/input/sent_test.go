package input_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/kontinue/kontinue"
)

// jobOf returns the Job that a step creates.
func jobOf(t *testing.T, run func(*kontinue.ExecutionContext) error) (job batchv1.Job) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		client, clientset := newClient(t)
		ktx := newExecution(t, client)
		go func() { _ = run(ktx) }() // it waits until the client is stopped
		synctest.Wait()
		list, err := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
		job = list.Items[0]
	})
	return job
}

func runJob(o *kontinue.JobOptions) func(*kontinue.ExecutionContext) error {
	return func(k *kontinue.ExecutionContext) error { _, err := kontinue.RunJob(k, o); return err }
}

func runPod(o *kontinue.PodOptions) func(*kontinue.ExecutionContext) error {
	return func(k *kontinue.ExecutionContext) error { _, err := kontinue.RunPod(k, o); return err }
}

func runScript(o *kontinue.ScriptOptions) func(*kontinue.ExecutionContext) error {
	return func(k *kontinue.ExecutionContext) error { _, err := kontinue.RunScript(k, o); return err }
}

func scriptOptions() *kontinue.ScriptOptions {
	return &kontinue.ScriptOptions{Image: "busybox:1", Command: "true"}
}

const specHash = "kontinue.cloud/spec-hash"

// TestSpecHashGolden: a Job that was created before the options for pods existed has the
// same hash, so that a worker of a later version adopts it without a drift.
func TestSpecHashGolden(t *testing.T) {
	t.Parallel()
	shell := scriptOptions()
	shell.Shell = []string{"bash", "-c"}
	full := podSpec()
	full.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "<b>&é\u2028"}}
	full.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true)}
	for want, run := range map[string]func(*kontinue.ExecutionContext) error{
		"sha256:5052d753961cf5ddfdadae07b74fcfc4": runJob(&kontinue.JobOptions{Spec: jobSpec()}),
		"sha256:4dd255a9caea4d5093b8b4890c5e3055": runPod(&kontinue.PodOptions{Spec: podSpec()}),
		"sha256:36f91b31463887fadbf7031dbac565d2": runPod(&kontinue.PodOptions{Spec: full, ExtraLabels: map[string]string{"a": "b"}}),
		"sha256:4d26671c41dbba365bb764d6da277d14": runScript(scriptOptions()),
		"sha256:2174e51dea30ee7b2f5b4b15e5d16be8": runScript(shell),
	} {
		require.Equal(t, want, jobOf(t, run).Annotations[specHash])
	}
}

// TestSpecHashCoversOptions: each option that changes what runs changes the hash.
func TestSpecHashCoversOptions(t *testing.T) {
	t.Parallel()
	seen := map[string]string{jobOf(t, runScript(scriptOptions())).Annotations[specHash]: "none"}
	for name, change := range map[string]func(*kontinue.ScriptOptions){
		"Files":              func(o *kontinue.ScriptOptions) { o.Files = map[string]string{"/a": "\xff"} },
		"Files, other bytes": func(o *kontinue.ScriptOptions) { o.Files = map[string]string{"/a": "\xfe"} },
		"Env":                func(o *kontinue.ScriptOptions) { o.Env = []corev1.EnvVar{{Name: "A"}} },
		"EnvFrom":            func(o *kontinue.ScriptOptions) { o.EnvFrom = []corev1.EnvFromSource{{Prefix: "a"}} },
		"ServiceAccountName": func(o *kontinue.ScriptOptions) { o.ServiceAccountName = "a" },
		"Resources": func(o *kontinue.ScriptOptions) {
			o.Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("1")}
		},
		"Volumes":          func(o *kontinue.ScriptOptions) { o.Volumes = []corev1.Volume{{Name: "v"}} },
		"VolumeMounts":     func(o *kontinue.ScriptOptions) { o.VolumeMounts = []corev1.VolumeMount{{Name: "v"}} },
		"WorkingDir":       func(o *kontinue.ScriptOptions) { o.WorkingDir = "/w" },
		"SecurityContext":  func(o *kontinue.ScriptOptions) { o.SecurityContext = &corev1.SecurityContext{} },
		"ImagePullPolicy":  func(o *kontinue.ScriptOptions) { o.ImagePullPolicy = corev1.PullNever },
		"ImagePullSecrets": func(o *kontinue.ScriptOptions) { o.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "p"}} },
		"PodLabels":        func(o *kontinue.ScriptOptions) { o.PodLabels = map[string]string{"a": "b"} },
		"PodAnnotations":   func(o *kontinue.ScriptOptions) { o.PodAnnotations = map[string]string{"a": "b"} },
	} {
		o := scriptOptions()
		change(o)
		hash := jobOf(t, runScript(o)).Annotations[specHash]
		require.Empty(t, seen[hash], name)
		seen[hash] = name
	}
	labeled := jobOf(t, runPod(&kontinue.PodOptions{Spec: podSpec(), PodLabels: map[string]string{"a": "b"}}))
	require.NotEqual(t, "sha256:4dd255a9caea4d5093b8b4890c5e3055", labeled.Annotations[specHash])
}

func TestScriptOptionsReachThePod(t *testing.T) {
	t.Parallel()
	o := scriptOptions()
	o.Env = []corev1.EnvVar{{Name: "A", Value: "a"}}
	o.EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}}
	o.ServiceAccountName = "deployer"
	o.Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("1")}
	o.Volumes = []corev1.Volume{{Name: "work"}}
	o.VolumeMounts = []corev1.VolumeMount{{Name: "work", MountPath: "/work"}}
	o.WorkingDir = "/work"
	o.SecurityContext = &corev1.SecurityContext{RunAsUser: new(int64(7))}
	o.ImagePullPolicy = corev1.PullAlways
	o.ImagePullSecrets = []corev1.LocalObjectReference{{Name: "registry"}}
	o.PodLabels, o.PodAnnotations = map[string]string{"team": "red"}, map[string]string{"note": "x"}
	o.Files = map[string]string{"/etc/app/config": "secret contents"}
	job := jobOf(t, runScript(o))
	require.Equal(t, "red", job.Spec.Template.Labels["team"])
	require.Equal(t, "a", job.Spec.Template.Spec.Containers[0].Env[0].Value)
	require.Equal(t, "x", job.Spec.Template.Annotations["note"])
	require.NotContains(t, job.Labels, "team")
	spec := job.Spec.Template.Spec
	require.Equal(t, "deployer", spec.ServiceAccountName)
	require.Equal(t, o.ImagePullSecrets, spec.ImagePullSecrets)
	require.Len(t, spec.Volumes, 2)
	require.Equal(t, job.Name+"-files", spec.Volumes[1].Secret.SecretName)
	c := spec.Containers[0]
	require.Equal(t, o.Env, c.Env)
	require.Equal(t, o.EnvFrom, c.EnvFrom)
	require.Equal(t, o.Resources, c.Resources)
	require.Equal(t, o.WorkingDir, c.WorkingDir)
	require.Equal(t, o.SecurityContext, c.SecurityContext)
	require.Equal(t, o.ImagePullPolicy, c.ImagePullPolicy)
	require.Equal(t, o.VolumeMounts[0], c.VolumeMounts[0])
	require.Equal(t, "/etc/app/config", c.VolumeMounts[1].MountPath)
	require.Len(t, o.Volumes, 1, "the options are not changed")
	require.Len(t, o.VolumeMounts, 1)
}

// TestVolumesOfScriptWithoutFiles are not touched, whatever their names.
func TestVolumesOfScriptWithoutFiles(t *testing.T) {
	t.Parallel()
	o := scriptOptions()
	o.Volumes = []corev1.Volume{{Name: "kontinue-files", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "mine"}}}}
	require.Equal(t, o.Volumes, jobOf(t, runScript(o)).Spec.Template.Spec.Volumes)
}

// TestPodLabelsOfJob are over those of the template, which stays as it is.
func TestPodLabelsOfJob(t *testing.T) {
	t.Parallel()
	o := &kontinue.JobOptions{
		Spec:      jobSpec(),
		PodLabels: map[string]string{"team": "red"}, PodAnnotations: map[string]string{"note": "x"},
	}
	o.Spec.Template.Labels = map[string]string{"team": "blue", "app": "a"}
	template := jobOf(t, runJob(o)).Spec.Template
	require.Equal(t, "red", template.Labels["team"])
	require.Equal(t, "a", template.Labels["app"])
	require.Equal(t, "x", template.Annotations["note"])
	require.Equal(t, map[string]string{"team": "blue", "app": "a"}, o.Spec.Template.Labels)
	require.Nil(t, o.Spec.Template.Annotations)
}

func TestLongScriptRunsFromItsPath(t *testing.T) {
	t.Parallel()
	o := scriptOptions()
	o.Command = strings.Repeat("s3cret\n", 20<<10)
	job := jobOf(t, runScript(o))
	require.Equal(t, []string{"/bin/sh", "/kontinue/script"}, job.Spec.Template.Spec.Containers[0].Command)
	require.Equal(t, "/kontinue/script", job.Spec.Template.Spec.Containers[0].VolumeMounts[0].MountPath)
	require.Empty(t, o.Files)
}

func TestPodTemplateOfConfig(t *testing.T) {
	t.Parallel()
	for want, template := range map[string]*corev1.PodTemplateSpec{
		"adds no containers": {Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "sidecar"}}}},
		"init containers":    {Spec: corev1.PodSpec{InitContainers: []corev1.Container{{Name: "default"}}}},
		"reserved":           {ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"kontinue.cloud/step": "mine"}}},
	} {
		_, err := kontinue.New(kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", PodTemplate: template})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		require.ErrorContains(t, err, "PodTemplate: ")
		require.ErrorContains(t, err, want)
	}
	_, err := kontinue.New(kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", PodTemplate: kontinue.RestrictedPodTemplate()})
	require.NoError(t, err)
}
