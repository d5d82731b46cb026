package jobs_test

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

func TestBuild(t *testing.T) {
	t.Parallel()
	r := request()
	r.Run, r.Attempt, r.DisplayName, r.Description = 2, 3, "Helm", "Installs the chart"
	r.Labels = map[string]string{"team": "red"}
	r.Annotations = map[string]string{"example.com/note": "x"}
	r.Owner.BlockOwnerDeletion = new(false)
	r.Owner.Controller = new(false)
	r.Spec.TTLSecondsAfterFinished = new(int32(60))
	r.Spec.Template.Labels = map[string]string{"app": "helm"}
	r.Spec.Template.Annotations = map[string]string{"sidecar.istio.io/inject": "false"}
	r.Spec.Template.Spec.InitContainers = []corev1.Container{
		{Name: "init", Image: "alpine", TerminationMessagePolicy: corev1.TerminationMessageReadFile}, {Name: "init-2", Image: "alpine"},
	}
	before := r.Spec.DeepCopy()

	job, err := r.Build()
	require.NoError(t, err)
	want := &batchv1.Job{
		TypeMeta: metav1.TypeMeta{APIVersion: "batch/v1", Kind: "Job"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns",
			Name:      identity.JobName(r.Execution, "helm", 2),
			Labels: map[string]string{
				"team": "red", "app.kubernetes.io/managed-by": "kontinue", "kontinue.cloud/worker-group": "blue",
				"kontinue.cloud/execution-uid": "u-1", "kontinue.cloud/step": "helm",
			},
			Annotations: map[string]string{
				"example.com/note": "x", "kontinue.cloud/execution": "deploy", "kontinue.cloud/run": "2",
				"kontinue.cloud/attempt": "3", "kontinue.cloud/spec-hash": identity.SpecHash(before),
				"kontinue.cloud/ttl-seconds-after-finished": "60", "kontinue.cloud/display-name": "Helm",
				"kontinue.cloud/description": "Installs the chart",
			},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "example.com/v1", Kind: "Execution", Name: "deploy", UID: "u-1",
				Controller: new(true), BlockOwnerDeletion: new(false),
			}},
		},
		Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{
				Labels: map[string]string{
					"app": "helm", "app.kubernetes.io/managed-by": "kontinue", "kontinue.cloud/worker-group": "blue",
					"kontinue.cloud/execution-uid": "u-1", "kontinue.cloud/step": "helm",
				},
				Annotations: map[string]string{
					"sidecar.istio.io/inject": "false", "kontinue.cloud/attempt": "3", "kontinue.cloud/spec-hash": identity.SpecHash(before),
				},
			},
			Spec: corev1.PodSpec{
				RestartPolicy: corev1.RestartPolicyNever,
				InitContainers: []corev1.Container{
					{Name: "init", Image: "alpine", TerminationMessagePolicy: corev1.TerminationMessageReadFile},
					{Name: "init-2", Image: "alpine", TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError},
				},
				Containers: []corev1.Container{{
					Name: "main", Image: "alpine:3.19", Command: []string{"true"},
					TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
				}},
			},
		}},
	}
	require.Equal(t, want, job)

	// The request is unchanged, even if the Job is modified.
	require.Equal(t, *before, r.Spec)
	job.Spec.Template.Spec.Containers[0].Command[0] = "false"
	job.Spec.Template.Annotations["x"] = "y"
	job.Labels["x"] = "y"
	*job.OwnerReferences[0].BlockOwnerDeletion = true
	require.Equal(t, *before, r.Spec)
	require.Equal(t, map[string]string{"team": "red"}, r.Labels)
	require.Equal(t, map[string]string{"example.com/note": "x"}, r.Annotations)
	require.False(t, *r.Owner.BlockOwnerDeletion)
	require.False(t, *r.Owner.Controller)
}

func TestBuildMetadataReadBack(t *testing.T) {
	t.Parallel()
	job := build(t, func(r *jobs.Request) { r.Run, r.Attempt = 4, 5 })
	require.Equal(t, identity.Metadata{
		Group: "blue", ExecutionUID: "u-1", Step: "helm", Attempt: 5, SpecHash: identity.SpecHash(&request().Spec),
	}, identity.MetadataOf(job))
	require.NotContains(t, job.Annotations, identity.AnnotationDisplayName)
	number, ok := identity.RunOf(request().Execution, "helm", job.Name)
	require.True(t, ok)
	require.Equal(t, 4, number)

	// Without its own annotations the Job reads the same: the pod template has them.
	stripped := job.DeepCopy()
	stripped.Annotations = nil
	require.Equal(t, identity.MetadataOf(job), identity.MetadataOf(stripped))
}

func TestBuildDeadline(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		user    *int64
		timeout time.Duration
		want    *int64
	}{
		"neither":         {nil, 0, nil},
		"user only":       {new(int64(7)), 0, new(int64(7))},
		"timeout only":    {nil, 90 * time.Second, new(int64(90))},
		"rounded up":      {nil, 1001 * time.Millisecond, new(int64(2))},
		"a nanosecond":    {nil, 1, new(int64(1))},
		"user is shorter": {new(int64(7)), 8 * time.Second, new(int64(7))},
		"timeout shorter": {new(int64(7)), 6 * time.Second, new(int64(6))},
		"user's zero":     {new(int64(0)), time.Second, new(int64(0))},
		"user's longest":  {new(int64(math.MaxInt32)), 0, new(int64(math.MaxInt32))},
		"the longest":     {nil, math.MaxInt32 * time.Second, new(int64(math.MaxInt32))},
	} {
		job := build(t, func(r *jobs.Request) { r.Spec.ActiveDeadlineSeconds, r.Timeout = tc.user, tc.timeout })
		require.Equal(t, tc.want, job.Spec.ActiveDeadlineSeconds, name)
	}
}

func TestBuildKeepsRestartPolicy(t *testing.T) {
	t.Parallel()
	job := build(t, func(r *jobs.Request) { r.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure })
	require.Equal(t, corev1.RestartPolicyOnFailure, job.Spec.Template.Spec.RestartPolicy)
}
