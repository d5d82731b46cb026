package jobs_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

func TestValidateRefuses(t *testing.T) {
	t.Parallel()
	container := func(f func(*corev1.Container)) func(*jobs.Request) {
		return func(r *jobs.Request) { f(&r.Spec.Template.Spec.Containers[0]) }
	}
	spec := func(f func(*batchv1.JobSpec)) func(*jobs.Request) {
		return func(r *jobs.Request) { f(&r.Spec) }
	}
	for want, change := range map[string]func(*jobs.Request){
		"namespace: Required":          func(r *jobs.Request) { r.Execution.Namespace = "" },
		`namespace: Invalid value: "`:  func(r *jobs.Request) { r.Execution.Namespace = "No Name" },
		"owner.apiVersion: Required":   func(r *jobs.Request) { r.Owner.APIVersion = "" },
		"owner.kind: Required":         func(r *jobs.Request) { r.Owner.Kind = "" },
		"owner.name: Required":         func(r *jobs.Request) { r.Owner.Name = "" },
		"owner.uid: Required":          func(r *jobs.Request) { r.Owner.UID = "" },
		"is not the Execution's name":  func(r *jobs.Request) { r.Owner.Name = "other" },
		"is not the Execution's UID":   func(r *jobs.Request) { r.Owner.UID = "u-2" },
		"owner.uid: Invalid":           func(r *jobs.Request) { r.Owner.UID, r.Execution.UID = "a b", "a b" },
		"group: Invalid":               func(r *jobs.Request) { r.Group = "" },
		"step: Required":               func(r *jobs.Request) { r.Step = "" },
		"step: Invalid":                func(r *jobs.Request) { r.Step = strings.Repeat("x", 64) },
		"run: Invalid value: -1":       func(r *jobs.Request) { r.Run = -1 },
		"attempt: Invalid value: -1":   func(r *jobs.Request) { r.Attempt = -1 },
		`timeout: Invalid value: "-1s`: func(r *jobs.Request) { r.Timeout = -1e9 },
		"timeout: Invalid value: \"2562047h47m16.854775807s\": must not be more than 2147483647 seconds": func(r *jobs.Request) { r.Timeout = math.MaxInt64 },
		"timeout: Invalid value: \"596523h14m7s":                                                         func(r *jobs.Request) { r.Timeout = math.MaxInt32*time.Second + 1 },
		"labels: Invalid value: label":                                                                   func(r *jobs.Request) { r.Labels = map[string]string{"a b": "x"} },
		"key is reserved":                                                                                func(r *jobs.Request) { r.Labels = identity.Labels("x", "y", "z") },
		"annotations: Invalid":                                                                           func(r *jobs.Request) { r.Annotations = map[string]string{identity.AnnotationRecord: "{}"} },
		"annotations: Too long":                                                                          func(r *jobs.Request) { r.Description = strings.Repeat("x", 230<<10) },

		"spec.parallelism: Invalid value: -1":                                                             spec(func(s *batchv1.JobSpec) { s.Parallelism = new(int32(-1)) }),
		"spec.completions: Invalid value: -1":                                                             spec(func(s *batchv1.JobSpec) { s.Completions = new(int32(-1)) }),
		"spec.backoffLimit: Invalid value: -1":                                                            spec(func(s *batchv1.JobSpec) { s.BackoffLimit = new(int32(-1)) }),
		"spec.backoffLimitPerIndex: Invalid value: -1":                                                    spec(func(s *batchv1.JobSpec) { s.BackoffLimitPerIndex = new(int32(-1)) }),
		"spec.maxFailedIndexes: Invalid value: -1":                                                        spec(func(s *batchv1.JobSpec) { s.MaxFailedIndexes = new(int32(-1)) }),
		"spec.ttlSecondsAfterFinished: Invalid value: -1":                                                 spec(func(s *batchv1.JobSpec) { s.TTLSecondsAfterFinished = new(int32(-1)) }),
		"spec.activeDeadlineSeconds: Invalid value: -1":                                                   spec(func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(-1)) }),
		"spec.activeDeadlineSeconds: Invalid value: 2147483648: must not be more than 2147483647 seconds": spec(func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = new(int64(math.MaxInt32 + 1)) }),
		"spec.selector: Forbidden":                                                                        spec(func(s *batchv1.JobSpec) { s.Selector = &metav1.LabelSelector{} }),
		"spec.manualSelector: Forbidden":                                                                  spec(func(s *batchv1.JobSpec) { s.ManualSelector = new(true) }),
		"spec.completions: Required":                                                                      spec(func(s *batchv1.JobSpec) { s.CompletionMode = new(batchv1.IndexedCompletion) }),
		"spec.template.metadata.namespace: Invalid":                                                       spec(func(s *batchv1.JobSpec) { s.Template.Namespace = "other" }),
		"spec.template.metadata.labels: Invalid":                                                          spec(func(s *batchv1.JobSpec) { s.Template.Labels = map[string]string{"job-name": "x"} }),
		"spec.template.metadata.annotations: Invalid":                                                     spec(func(s *batchv1.JobSpec) { s.Template.Annotations = map[string]string{"kontinue.cloud/x": "x"} }),
		`restartPolicy: Unsupported value: "Always"`:                                                      spec(func(s *batchv1.JobSpec) { s.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways }),
		`restartPolicy: Invalid value: "OnFailure"`: spec(func(s *batchv1.JobSpec) {
			s.Template.Spec.RestartPolicy, s.PodFailurePolicy = corev1.RestartPolicyOnFailure, &batchv1.PodFailurePolicy{}
		}),
		"spec.template.spec.containers: Required":             spec(func(s *batchv1.JobSpec) { s.Template.Spec.Containers = nil }),
		"spec.template.spec.containers[0].name: Required":     container(func(c *corev1.Container) { c.Name = "" }),
		"spec.template.spec.containers[0].name: Invalid":      container(func(c *corev1.Container) { c.Name = "A b" }),
		"spec.template.spec.containers[0].image: Required":    container(func(c *corev1.Container) { c.Image = " \t" }),
		"image: Invalid value: \" alpine\"":                   container(func(c *corev1.Container) { c.Image = " alpine" }),
		"spec.template.spec.initContainers[0].image: Require": spec(func(s *batchv1.JobSpec) { s.Template.Spec.InitContainers = []corev1.Container{{Name: "i"}} }),
		"spec.template.spec.containers[0].name: Duplicate": spec(func(s *batchv1.JobSpec) {
			s.Template.Spec.InitContainers = []corev1.Container{{Name: "main", Image: "x"}}
		}),
	} {
		r := request()
		change(r)
		err := r.Validate()
		require.ErrorIs(t, err, jobs.ErrInvalid, want)
		require.ErrorContains(t, err, want)
		job, err := r.Build()
		require.ErrorIs(t, err, jobs.ErrInvalid, "Build must validate")
		require.Nil(t, job)
	}
	var none *jobs.Request
	require.ErrorIs(t, none.Validate(), jobs.ErrInvalid)
}

func TestValidateAccepts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*jobs.Request){
		"minimal":      func(*jobs.Request) {},
		"unnamed step": func(r *jobs.Request) { r.Step = "step-1" },
		"zeros": func(r *jobs.Request) {
			r.Spec.BackoffLimit, r.Spec.TTLSecondsAfterFinished = new(int32(0)), new(int32(0))
		},
		"same namespace": func(r *jobs.Request) { r.Spec.Template.Namespace = "ns" },
		"manual=false":   func(r *jobs.Request) { r.Spec.ManualSelector = new(false) },
		"on failure":     func(r *jobs.Request) { r.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure },
		"indexed": func(r *jobs.Request) {
			r.Spec.CompletionMode, r.Spec.Completions = new(batchv1.IndexedCompletion), new(int32(3))
		},
		"failure policy": func(r *jobs.Request) { r.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{} },
		"suspended":      func(r *jobs.Request) { r.Spec.Suspend = new(true) },
		"big annotation": func(r *jobs.Request) { r.Annotations = map[string]string{"a": strings.Repeat("x", 200<<10)} },
		"two containers": func(r *jobs.Request) {
			c := &r.Spec.Template.Spec.Containers
			*c = append(*c, corev1.Container{Name: "b", Image: "b"})
		},
		"managed by other": func(r *jobs.Request) { r.Spec.ManagedBy = new("kueue.x-k8s.io/multikueue") },
	} {
		r := request()
		change(r)
		require.NoError(t, r.Validate(), name)
	}
}

// TestValidateReportsAll: all errors are reported at once, without values of annotations
// or of the environment.
func TestValidateReportsAll(t *testing.T) {
	t.Parallel()
	r := request()
	r.Group = ""
	r.Annotations = map[string]string{"a b": "s3cret-1", "c d": "s3cret-2"}
	c := &r.Spec.Template.Spec.Containers[0]
	c.Image, c.Args, c.Env = "", []string{"s3cret-3"}, []corev1.EnvVar{{Name: "P", Value: "s3cret-4"}}
	err := r.Validate()
	for _, want := range []string{"group", `"a b"`, `"c d"`, "containers[0].image"} {
		require.ErrorContains(t, err, want)
	}
	require.NotContains(t, err.Error(), "s3cret")
}
