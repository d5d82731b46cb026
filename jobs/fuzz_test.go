package jobs_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/validation"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// FuzzNamesAndLabels: a request that Validate accepts results in a Job whose names, labels
// and annotations an API server accepts, and on which no user label replaces one of the
// library.
func FuzzNamesAndLabels(f *testing.F) {
	f.Add("deploy", "helm", "blue", "team", "a", "note", "b")
	f.Add("x.y.example.com", "step-1", "G_1", "kontinue.cloud/step", "other", "kontinue.cloud/outcome", "{}")
	f.Add("ünïcode", "a b", "", "", "", "job-name", "")
	f.Add("a", "0123456789012345678901234567890123456789012345678901234567890123", "g", "a/b/c", "\x00", "/", "\xff")
	f.Fuzz(func(t *testing.T, owner, step, group, label, value, annotation, note string) {
		r := request()
		r.Execution.Name, r.Owner.Name, r.Step, r.Group = owner, owner, step, group
		r.Labels, r.Annotations = map[string]string{label: value}, map[string]string{annotation: note}
		r.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "CANARY", Value: "canary-in-env"}}
		job, err := r.Build()
		if invalid := r.Validate(); invalid != nil {
			require.ErrorIs(t, invalid, jobs.ErrInvalid)
			require.ErrorIs(t, err, jobs.ErrInvalid, "Build makes what Validate refuses")
			require.NotContains(t, invalid.Error(), "canary-in-env")
			return
		}
		require.NoError(t, err)
		// The pods are named after the Job, so its name is a DNS label.
		require.Empty(t, utilvalidation.IsDNS1123Label(job.Name))
		require.LessOrEqual(t, len(job.Name), 52)
		path := field.NewPath("metadata")
		require.Empty(t, metavalidation.ValidateLabels(job.Labels, path))
		require.Empty(t, metavalidation.ValidateLabels(job.Spec.Template.Labels, path))
		require.Empty(t, validation.ValidateAnnotations(job.Annotations, path))
		require.Empty(t, validation.ValidateAnnotations(job.Spec.Template.Annotations, path))
		for key, want := range identity.Labels(group, r.Execution.UID, step) {
			require.Equal(t, want, job.Labels[key])
			require.Equal(t, want, job.Spec.Template.Labels[key])
		}
		require.Equal(t, value, job.Labels[label])
		require.Equal(t, note, job.Annotations[annotation])
		for _, key := range identity.TemplateAnnotations() {
			require.Equal(t, job.Annotations[key], job.Spec.Template.Annotations[key])
		}
		require.NotContains(t, job.Annotations[identity.AnnotationSpecHash], "canary-in-env")
	})
}
