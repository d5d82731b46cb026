package jobs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	kresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/jobs"
)

// full is a request with something of each kind in it.
func full(r *jobs.Request) {
	r.Spec.BackoffLimit = new(int32(2))
	pod := &r.Spec.Template.Spec
	pod.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}}}
	pod.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
	m := &pod.Containers[0]
	m.Args = []string{"--password", "hunter2"}
	m.Env = []corev1.EnvVar{{Name: "A", Value: "hunter2"}, {Name: "B", Value: "b"}}
	m.Ports = []corev1.ContainerPort{{ContainerPort: 80}}
	m.Resources.Limits = corev1.ResourceList{"cpu": kresource.MustParse("500m")}
	m.VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
}

// byServer fills in what a real API server and a mutating webhook add.
func byServer(j *batchv1.Job) {
	j.UID = "live"
	j.Spec.Parallelism, j.Spec.Completions, j.Spec.Suspend = new(int32(1)), new(int32(1)), new(false)
	j.Spec.CompletionMode = new(batchv1.NonIndexedCompletion)
	j.Spec.PodReplacementPolicy = new(batchv1.TerminatingOrFailed)
	j.Spec.ManualSelector = new(false)
	j.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"batch.kubernetes.io/controller-uid": "live"}}
	t := &j.Spec.Template
	for _, k := range []string{"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"} {
		t.Labels[k] = "x"
	}
	t.Spec.DNSPolicy, t.Spec.SchedulerName, t.Spec.SecurityContext = corev1.DNSClusterFirst, "default-scheduler", &corev1.PodSecurityContext{}
	t.Spec.TerminationGracePeriodSeconds = new(int64(30))
	t.Spec.Volumes[0].ConfigMap.DefaultMode = new(int32(420))
	m := &t.Spec.Containers[0]
	m.TerminationMessagePath, m.ImagePullPolicy = "/dev/termination-log", corev1.PullIfNotPresent
	m.Ports[0].Protocol = corev1.ProtocolTCP
	m.Resources.Requests = corev1.ResourceList{"cpu": kresource.MustParse("500m")}
}

func TestDrift(t *testing.T) {
	t.Parallel()
	main := func(f func(*corev1.Container)) func(*jobs.Request) {
		return func(r *jobs.Request) { f(&r.Spec.Template.Spec.Containers[0]) }
	}
	const gone = " (removed, or added by the cluster)"
	for name, tc := range map[string]struct {
		change func(*jobs.Request)
		want   []string
	}{
		"nothing": {func(*jobs.Request) {}, nil},
		"image": {
			main(func(c *corev1.Container) { c.Image = "alpine:3.20" }),
			[]string{"template.spec.containers[0].image: alpine:3.19 -> alpine:3.20"},
		},
		"an image that shows backwards": {
			main(func(c *corev1.Container) { c.Image = "\u202eb\u2028\x1b[2Jc" }),
			[]string{"template.spec.containers[0].image: alpine:3.19 -> b c"},
		},
		"an argument": {
			main(func(c *corev1.Container) { c.Args[1] = "hunter3" }),
			[]string{"template.spec.containers[0].args: changed"},
		},
		"one argument more": {
			main(func(c *corev1.Container) { c.Args = append(c.Args, "hunter3") }),
			[]string{"template.spec.containers[0].args: changed"},
		},
		"no arguments": {
			main(func(c *corev1.Container) { c.Args = nil }),
			[]string{"template.spec.containers[0].args: changed" + gone},
		},
		"command": {
			main(func(c *corev1.Container) { c.Command = []string{"false"} }),
			[]string{"template.spec.containers[0].command: changed"},
		},
		"a variable": {
			main(func(c *corev1.Container) { c.Env[0].Value = "hunter3" }),
			[]string{"template.spec.containers[0].env[A].value: changed"},
		},
		"variables in another order": {
			main(func(c *corev1.Container) { c.Env[0], c.Env[1] = c.Env[1], c.Env[0] }),
			nil,
		},
		"other variables": {
			main(func(c *corev1.Container) { c.Env[1].Name = "C" }),
			[]string{"template.spec.containers[0].env[C]: unset -> set", "template.spec.containers[0].env[B]: set -> unset" + gone},
		},
		"numbers": {
			func(r *jobs.Request) {
				r.Spec.BackoffLimit, r.Spec.Parallelism, r.Spec.TTLSecondsAfterFinished = nil, new(int32(3)), new(int32(60))
			},
			[]string{"parallelism: 1 -> 3", "ttlSecondsAfterFinished: unset -> 60", "backoffLimit: 2 -> unset" + gone},
		},
		"resources": {
			main(func(c *corev1.Container) { c.Resources.Limits["cpu"] = kresource.MustParse("1") }),
			[]string{"template.spec.containers[0].resources.limits.cpu: 500m -> 1"},
		},
		"one more container": {
			func(r *jobs.Request) {
				c := &r.Spec.Template.Spec.Containers
				*c = append(*c, corev1.Container{Name: "side", Image: "nginx"})
			},
			[]string{"template.spec.containers[side]: unset -> set"},
		},
		"toleration": {
			func(r *jobs.Request) { r.Spec.Template.Spec.Tolerations[0].Effect = corev1.TaintEffectNoExecute },
			[]string{"template.spec.tolerations[0].effect: unset -> NoExecute"},
		},
		"volume": {
			func(r *jobs.Request) { r.Spec.Template.Spec.Volumes[0].ConfigMap.Name = "scripts" },
			[]string{"template.spec.volumes[0].configMap.name: unset -> scripts"},
		},
		"pod annotation": {
			func(r *jobs.Request) { r.Spec.Template.Annotations = map[string]string{"a": "hunter3"} },
			[]string{"template.metadata.annotations: changed"},
		},
		"pod label": {
			func(r *jobs.Request) { r.Spec.Template.Labels = map[string]string{"a": "b"} },
			[]string{"template.metadata.labels.a: unset -> b"},
		},
		"a long value": {
			main(func(c *corev1.Container) { c.WorkingDir = "/" + strings.Repeat("é", 100) }),
			[]string{"template.spec.containers[0].workingDir: unset -> /" + strings.Repeat("é", 39) + "..."},
		},
	} {
		there := build(t, full)
		byServer(there)
		c := newCluster(there)
		got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(full, tc.change))
		require.NoError(t, err, name)
		require.True(t, got.Adopted, name)
		require.Len(t, got.Drift, len(tc.want), "%s: %q", name, got.Drift)
		for i, want := range tc.want {
			require.True(t, strings.HasPrefix(got.Drift[i], want), "%s: %q", name, got.Drift)
		}
		require.NotContains(t, strings.Join(got.Drift, "\n"), "hunter", name)
	}
}

// TestDriftKnowsKontinuesOwnChanges: what Cancel, Finish and a timeout did to the
// Job in the cluster is not the user's change.
func TestDriftKnowsKontinuesOwnChanges(t *testing.T) {
	t.Parallel()
	there := live(t)
	c := newCluster(there)
	client := jobs.NewClient(c, jobs.Options{})
	require.NoError(t, client.Cancel(t.Context(), "ns", there.Name, there.UID))
	require.NoError(t, client.Retire(t.Context(), "ns", there.Name, there.UID, new(int32(60)), nil))
	got, err := acquire(t.Context(), client, changed(func(r *jobs.Request) { r.Timeout = 1e9 }))
	require.NoError(t, err)
	require.Empty(t, got.Drift, "a timeout is no part of the spec")

	got, err = acquire(t.Context(), client, changed(func(r *jobs.Request) { r.Spec.Template.Spec.Containers[0].Image = "b" }))
	require.NoError(t, err)
	require.Equal(t, []string{"template.spec.containers[0].image: alpine:3.19 -> b"}, got.Drift)
}

// TestDriftOfTemplateAnnotations: what kontinue writes on the pod template is no part
// of the spec, neither where both Jobs have it nor where one of them does.
func TestDriftOfTemplateAnnotations(t *testing.T) {
	t.Parallel()
	bare := func(j *batchv1.Job) { j.Spec.Template.Annotations = nil }
	user := func(r *jobs.Request) { r.Spec.Template.Annotations = map[string]string{"a": "b"} }
	for name, tc := range map[string]struct {
		there, submitted *batchv1.Job
		want             []string
	}{
		"another attempt":            {live(t), build(t, func(r *jobs.Request) { r.Attempt = 1 }), nil},
		"by a version without them":  {live(t, bare), build(t), nil},
		"beside the user's own":      {build(t, user), build(t, user, func(r *jobs.Request) { r.Attempt = 1 }), nil},
		"the user's own are another": {live(t), build(t, user), []string{"template.metadata.annotations: changed"}},
	} {
		before := tc.there.DeepCopy()
		got := jobs.Drift(tc.there, tc.submitted)
		require.Equal(t, tc.want, got, name)
		require.Equal(t, before, tc.there, name)
	}
}

// TestDriftWithoutHash: the pod template keeps the hash where somebody removed the
// Job's annotations. Without either, the specs are compared.
func TestDriftWithoutHash(t *testing.T) {
	t.Parallel()
	stripped := func(j *batchv1.Job) { j.Annotations = nil }
	c := newCluster(live(t, stripped))
	got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
	require.NoError(t, err)
	require.True(t, got.Adopted)
	require.Empty(t, got.Drift)

	c = newCluster(live(t, stripped, func(j *batchv1.Job) { j.Spec.Template.Annotations = nil }))
	got, err = acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
	require.NoError(t, err)
	require.Empty(t, got.Drift, "the specs are compared")
}
