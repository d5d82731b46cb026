package jobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// withBase merges the pod template over one with a node selector and an image pull policy.
func withBase(pool string) func(*jobs.Request) {
	return func(r *jobs.Request) {
		r.PodTemplate = &corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"team": pool}, Annotations: map[string]string{"note": pool}},
			Spec: corev1.PodSpec{
				NodeSelector: map[string]string{"pool": pool},
				Containers: []corev1.Container{{
					Name: "default", ImagePullPolicy: corev1.PullAlways, Env: []corev1.EnvVar{{Name: "POOL", Value: pool}},
					TerminationMessagePolicy: corev1.TerminationMessageReadFile,
				}},
			},
		}
	}
}

func TestBuildOverBase(t *testing.T) {
	t.Parallel()
	r := changed(withBase("red"))
	before := r.PodTemplate.DeepCopy()
	job, err := r.Build()
	require.NoError(t, err)
	require.Equal(t, before, r.PodTemplate)
	require.Equal(t, request().Spec, r.Spec, "the submitted spec is not changed")
	template := job.Spec.Template
	require.Equal(t, map[string]string{"pool": "red"}, template.Spec.NodeSelector)
	require.Equal(t, "red", template.Labels["team"])
	require.Equal(t, "helm", template.Labels["kontinue.cloud/step"])
	require.Equal(t, "red", template.Annotations["note"])
	require.NotContains(t, job.Labels, "team")
	require.Len(t, template.Spec.Containers, 1)
	c := template.Spec.Containers[0]
	require.Equal(t, "main", c.Name)
	require.Equal(t, corev1.PullAlways, c.ImagePullPolicy)
	require.Equal(t, corev1.TerminationMessageReadFile, c.TerminationMessagePolicy)
	require.Equal(t, corev1.RestartPolicyNever, template.Spec.RestartPolicy)
	require.Equal(t, identity.SpecHash(&request().Spec), identity.MetadataOf(job).SpecHash)
}

func TestValidateBase(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*jobs.Request){
		"adds no containers": func(r *jobs.Request) { r.PodTemplate.Spec.Containers[0].Name = "sidecar" },
		"key is reserved":    func(r *jobs.Request) { r.PodTemplate.Labels = map[string]string{"kontinue.cloud/step": "mine"} },
	} {
		err := changed(withBase("red"), change).Validate()
		require.ErrorIs(t, err, jobs.ErrInvalid)
		require.ErrorContains(t, err, "podTemplate: Invalid value: ")
		require.ErrorContains(t, err, want)
	}
}

// TestAcquireUnderAnotherBase: what the base has is no drift and no mutation.
func TestAcquireUnderAnotherBase(t *testing.T) {
	t.Parallel()
	for name, base := range map[string]func(*jobs.Request){"another": withBase("blue"), "none": func(*jobs.Request) {}} {
		c := newCluster()
		_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(withBase("red")))
		require.NoError(t, err, name)

		got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(base))
		require.NoError(t, err, name)
		require.True(t, got.Adopted, name)
		require.Empty(t, got.Drift, name)
		require.Empty(t, got.Mutations, name)
	}
	// What the user changed is.
	c := newCluster()
	_, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(withBase("red")))
	require.NoError(t, err)
	got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(withBase("blue"), func(r *jobs.Request) { r.Spec.Template.Spec.Containers[0].Image = "alpine:4" }))
	require.NoError(t, err)
	require.Equal(t, []string{"template.spec.containers[0].image: alpine:3.19 -> alpine:4"}, got.Drift)
}

// TestMutationUnderBase: the cluster's changes are found beside what the base has.
func TestMutationUnderBase(t *testing.T) {
	t.Parallel()
	job := build(t, withBase("red"), func(r *jobs.Request) { r.Spec.Parallelism = new(int32(1)) })
	same, err := changed(withBase("red")).Build()
	require.NoError(t, err)
	require.Empty(t, jobs.Drift(job, same))
	job.Spec.Template.Spec.Containers = append(job.Spec.Template.Spec.Containers, corev1.Container{Name: "injected"})
	require.Equal(t, []string{"template.spec.containers[injected]: set -> unset (removed, or added by the cluster)"}, jobs.Drift(job, same))
}
