package podtemplate_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/kontinue/kontinue/internal/podtemplate"
)

func base() *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"team": "base", "cost": "1"}, Annotations: map[string]string{"note": "base"}},
		Spec: corev1.PodSpec{
			NodeSelector:     map[string]string{"pool": "jobs"},
			Tolerations:      []corev1.Toleration{{Key: "jobs"}},
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "mirror"}},
			SecurityContext:  &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(7))},
			Volumes: []corev1.Volume{
				{Name: "cache", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
				{Name: "ca", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "ca"}}}},
			},
			Containers: []corev1.Container{{
				Name: "default", Image: "ignored",
				Env:           []corev1.EnvVar{{Name: "PROXY", Value: "p"}, {Name: "TOKEN", Value: "base"}},
				VolumeMounts:  []corev1.VolumeMount{{Name: "ca", MountPath: "/etc/ca"}, {Name: "cache", MountPath: "/cache"}},
				Ports:         []corev1.ContainerPort{{ContainerPort: 9}},
				LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(1)}}},
				Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{
					"cpu": resource.MustParse("1"), "memory": resource.MustParse("1Gi"),
				}},
				SecurityContext: &corev1.SecurityContext{AllowPrivilegeEscalation: new(false)},
			}},
		},
	}
}

func own() *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"team": "own"}},
		Spec: corev1.PodSpec{
			RestartPolicy:    corev1.RestartPolicyNever,
			ImagePullSecrets: []corev1.LocalObjectReference{{Name: "own"}},
			SecurityContext:  &corev1.PodSecurityContext{RunAsUser: new(int64(8))},
			Volumes:          []corev1.Volume{{Name: "cache", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/c"}}}},
			InitContainers:   []corev1.Container{{Name: "setup", Image: "i"}},
			Containers: []corev1.Container{
				{
					Name: "z", Image: "z:1", Args: []string{"a"},
					Env:           []corev1.EnvVar{{Name: "B", Value: "$(PROXY)"}, {Name: "A"}, {Name: "TOKEN", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}},
					VolumeMounts:  []corev1.VolumeMount{{Name: "cache", MountPath: "/etc/ca"}},
					Ports:         []corev1.ContainerPort{{ContainerPort: 53, Protocol: "TCP"}, {ContainerPort: 53, Protocol: "UDP"}},
					LivenessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}},
					Resources:     corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse("2Gi")}},
				},
				{Name: "a", Image: "a:1"},
			},
		},
	}
}

func TestMerge(t *testing.T) {
	t.Parallel()
	b, o := base(), own()
	got, err := podtemplate.Merge(b, o)
	require.NoError(t, err)
	require.Equal(t, base(), b, "the base is not changed")
	require.Equal(t, own(), o, "nor is the step's own template")

	require.Equal(t, map[string]string{"team": "own", "cost": "1"}, got.Labels)
	require.Equal(t, map[string]string{"note": "base"}, got.Annotations)
	spec := got.Spec
	require.Equal(t, map[string]string{"pool": "jobs"}, spec.NodeSelector)
	require.Equal(t, base().Spec.Tolerations, spec.Tolerations)
	require.ElementsMatch(t, []corev1.LocalObjectReference{{Name: "mirror"}, {Name: "own"}}, spec.ImagePullSecrets)
	require.Equal(t, &corev1.PodSecurityContext{RunAsNonRoot: new(true), RunAsUser: new(int64(8))}, spec.SecurityContext)
	require.Equal(t, []corev1.Volume{base().Spec.Volumes[1], own().Spec.Volumes[0]}, spec.Volumes, "the step's volume has one source")

	require.Len(t, spec.InitContainers, 1)
	require.Equal(t, "i", spec.InitContainers[0].Image)
	require.Equal(t, new(false), spec.InitContainers[0].SecurityContext.AllowPrivilegeEscalation)
	require.Len(t, spec.Containers, 2, "the template adds none")
	z, a := spec.Containers[0], spec.Containers[1]
	require.Equal(t, "z:1", z.Image)
	require.Equal(t, []string{"a"}, z.Args)
	require.Equal(t, append(base().Spec.Containers[0].Env[:1], own().Spec.Containers[0].Env...), z.Env, "the order of variables counts")
	require.Equal(t, []corev1.VolumeMount{{Name: "cache", MountPath: "/cache"}, {Name: "cache", MountPath: "/etc/ca"}}, z.VolumeMounts)
	require.Equal(t, append(base().Spec.Containers[0].Ports, own().Spec.Containers[0].Ports...), z.Ports, "two protocols of a port are two ports")
	require.Equal(t, own().Spec.Containers[0].LivenessProbe, z.LivenessProbe)
	require.Equal(t, "2Gi", z.Resources.Limits.Memory().String())
	require.Equal(t, "1", z.Resources.Limits.Cpu().String())
	require.Equal(t, base().Spec.Containers[0].Env, a.Env)
	require.Equal(t, "a", a.Name)
	require.Equal(t, "a:1", a.Image)
}

// TestMergeOverNothing: an empty base changes nothing.
func TestMergeOverNothing(t *testing.T) {
	t.Parallel()
	got, err := podtemplate.Merge(&corev1.PodTemplateSpec{}, own())
	require.NoError(t, err)
	require.Equal(t, own(), got)
}

func TestMergeSharesNoMemory(t *testing.T) {
	t.Parallel()
	b := base()
	got, err := podtemplate.Merge(b, own())
	require.NoError(t, err)
	got.Spec.NodeSelector["x"] = "y"
	got.Spec.Containers[1].SecurityContext.AllowPrivilegeEscalation = new(true)
	got.Spec.Containers[1].Env[0].Value = "changed"
	got.Spec.Containers[0].VolumeMounts[0].Name = "changed"
	got.Spec.Volumes[0].ConfigMap.Name = "changed"
	require.Equal(t, base(), b)
}

func TestValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, podtemplate.Validate(nil))
	require.NoError(t, podtemplate.Validate(&corev1.PodTemplateSpec{}))
	require.NoError(t, podtemplate.Validate(base()))
	require.NoError(t, podtemplate.Validate(podtemplate.Restricted()))
	for want, change := range map[string]func(*corev1.PodTemplateSpec){
		"adds no containers": func(b *corev1.PodTemplateSpec) { b.Spec.Containers[0].Name = "sidecar" },
		"a second container": func(b *corev1.PodTemplateSpec) { b.Spec.Containers = append(b.Spec.Containers, b.Spec.Containers[0]) },
		"no init containers": func(b *corev1.PodTemplateSpec) { b.Spec.InitContainers = b.Spec.Containers },
		"ephemeral":          func(b *corev1.PodTemplateSpec) { b.Spec.EphemeralContainers = make([]corev1.EphemeralContainer, 1) },
		"command and args":   func(b *corev1.PodTemplateSpec) { b.Spec.Containers[0].Args = []string{"s3cret"} },
		"restartPolicy":      func(b *corev1.PodTemplateSpec) { b.Spec.RestartPolicy = corev1.RestartPolicyOnFailure },
		"restartPolicy is": func(b *corev1.PodTemplateSpec) {
			b.Spec.Containers[0].RestartPolicy = new(corev1.ContainerRestartPolicyAlways)
		},
		"activeDeadlineSeconds":      func(b *corev1.PodTemplateSpec) { b.Spec.ActiveDeadlineSeconds = new(int64(1)) },
		"metadata":                   func(b *corev1.PodTemplateSpec) { b.GenerateName = "x" },
		"key is reserved":            func(b *corev1.PodTemplateSpec) { b.Labels["kontinue.cloud/step"] = "mine" },
		`"kontinue.cloud/spec-hash"`: func(b *corev1.PodTemplateSpec) { b.Annotations["kontinue.cloud/spec-hash"] = "s3cret" },
		"managed-by":                 func(b *corev1.PodTemplateSpec) { b.Labels["app.kubernetes.io/managed-by"] = "helm" },
	} {
		b := base()
		change(b)
		err := podtemplate.Validate(b)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "s3cret")
	}
}
