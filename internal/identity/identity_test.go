package identity_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/kontinue/kontinue/internal/identity"
)

func TestConstants(t *testing.T) {
	t.Parallel()
	// Literals, since objects in running clusters have them.
	require.Equal(t, []string{
		"app.kubernetes.io/managed-by", "kontinue", "kontinue.cloud/worker-group", "kontinue.cloud/execution-uid",
		"kontinue.cloud/step", "kontinue.cloud/execution", "kontinue.cloud/run", "kontinue.cloud/attempt",
		"kontinue.cloud/spec-hash", "kontinue.cloud/outcome", "kontinue.cloud/ttl-seconds-after-finished",
		"kontinue.cloud/display-name", "kontinue.cloud/description", "kontinue.cloud/canceled", "ended",
		"kontinue.cloud/recorded", "kontinue.cloud/gave-up", "kontinue.cloud/traceparent", "kueue.x-k8s.io/queue-name",
	}, []string{
		identity.LabelManagedBy, identity.ManagedBy, identity.LabelWorkerGroup, identity.LabelExecutionUID,
		identity.LabelStep, identity.AnnotationExecution, identity.AnnotationRun, identity.AnnotationAttempt,
		identity.AnnotationSpecHash, identity.AnnotationRecord, identity.AnnotationTTL,
		identity.AnnotationDisplayName, identity.AnnotationDescription, identity.AnnotationCanceled, identity.CanceledAfterEnd,
		identity.LabelRecorded, identity.AnnotationGaveUp, identity.AnnotationTraceParent, identity.LabelQueue,
	})
}

func TestSelectors(t *testing.T) {
	t.Parallel()
	require.Equal(t, "app.kubernetes.io/managed-by=kontinue,kontinue.cloud/worker-group=blue", identity.Selector("blue"))
	mine := labels.Set(identity.Labels("blue", "u-1", "helm"))
	for _, tc := range []struct {
		selector string
		labels   labels.Set
		want     bool
	}{
		{identity.Selector("blue"), mine, true},
		{identity.Selector("green"), mine, false},
		{identity.LivingSelector("blue"), mine, true},
		{identity.LivingSelector("green"), mine, false},
		{identity.LivingSelector("blue"), labels.Merge(mine, labels.Set{identity.LabelRecorded: "true"}), false},
		{identity.ExecutionSelector("u-1"), mine, true},
		{identity.ExecutionSelector("u-1"), labels.Set(identity.Labels("green", "u-1", "x")), true},
		{identity.ExecutionSelector("u-2"), mine, false},
		{identity.Selector("blue"), labels.Set{identity.LabelWorkerGroup: "blue"}, false},
	} {
		s, err := labels.Parse(tc.selector)
		require.NoError(t, err)
		require.Equal(t, tc.want, s.Matches(tc.labels), tc.selector)
	}
}

func TestMetadataOf(t *testing.T) {
	t.Parallel()
	ttl := int32(60)
	for name, tc := range map[string]struct {
		meta     metav1.ObjectMeta
		template metav1.ObjectMeta
		want     identity.Metadata
	}{
		"none": {},
		"all": {meta: metav1.ObjectMeta{
			Labels: identity.Labels("blue", "u-1", "helm"),
			Annotations: map[string]string{
				identity.AnnotationAttempt: "3", identity.AnnotationSpecHash: "sha256:ab",
				identity.AnnotationRecord: `{"v":1}`, identity.AnnotationTTL: "60", identity.AnnotationCanceled: "true",
			},
		}, want: identity.Metadata{
			Group: "blue", ExecutionUID: "u-1", Step: "helm", Attempt: 3, SpecHash: "sha256:ab",
			Record: `{"v":1}`, TTLSeconds: &ttl, Canceled: true, CancelRequested: true,
		}},
		"recorded": {
			meta: metav1.ObjectMeta{Labels: map[string]string{identity.LabelRecorded: ""}},
			want: identity.Metadata{RecordedLabel: true},
		},
		"edited by hand": {meta: metav1.ObjectMeta{Annotations: map[string]string{
			identity.AnnotationAttempt: "x", identity.AnnotationTTL: "99999999999",
			identity.AnnotationCanceled: "yes",
		}}},
		"negative ttl": {meta: metav1.ObjectMeta{Annotations: map[string]string{identity.AnnotationTTL: "-5"}}},
		"stripped": {
			template: metav1.ObjectMeta{
				Labels:      identity.Labels("blue", "u-1", "helm"),
				Annotations: map[string]string{identity.AnnotationAttempt: "3", identity.AnnotationSpecHash: "sha256:ab"},
			},
			want: identity.Metadata{ExecutionUID: "u-1", Step: "helm", Attempt: 3, SpecHash: "sha256:ab"},
		},
		"edited, but not in the template": {
			meta: metav1.ObjectMeta{
				Labels:      identity.Labels("blue", "u-2", "other"),
				Annotations: map[string]string{identity.AnnotationAttempt: "7", identity.AnnotationSpecHash: "sha256:cd"},
			},
			template: metav1.ObjectMeta{
				Labels:      identity.Labels("blue", "u-1", "helm"),
				Annotations: map[string]string{identity.AnnotationAttempt: "0", identity.AnnotationSpecHash: "sha256:ab"},
			},
			want: identity.Metadata{Group: "blue", ExecutionUID: "u-1", Step: "helm", SpecHash: "sha256:ab"},
		},
	} {
		job := &batchv1.Job{ObjectMeta: tc.meta, Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{ObjectMeta: tc.template}}}
		require.Equal(t, tc.want, identity.MetadataOf(job), name)
	}
}

func TestValidateStepNameAndGroup(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{
		"helm": true, "a": true, "A_b.c-9": true, strings.Repeat("x", 63): true, "step-one": true, "step-1a": true, "1": true,
		"": false, "step-1": false, "step-007": false, strings.Repeat("x", 64): false, "a b": false, "-a": false, "a/b": false, "é": false,
	} {
		err := identity.ValidateStepName(name)
		require.Equal(t, ok, err == nil, "%q: %v", name, err)
	}
	require.NoError(t, identity.ValidateGroup("default"))
	require.ErrorContains(t, identity.ValidateGroup(""), "worker group is empty")
	require.ErrorContains(t, identity.ValidateGroup("a b"), `worker group "a b"`)
}

func TestValidateUserLabels(t *testing.T) {
	t.Parallel()
	require.NoError(t, identity.ValidateUserLabels(nil))
	require.NoError(t, identity.ValidateUserLabels(map[string]string{"team": "blue", "example.com/x": "", "job-name-2": "a"}))
	for key, value := range map[string]string{
		identity.LabelStep: "x", "kontinue.cloud/anything": "x", "Kontinue.Cloud/x": "x", identity.LabelManagedBy: "Helm",
		"batch.kubernetes.io/job-name": "x", "job-name": "x", "controller-uid": "x", "": "x", "a b": "x", "ok": "not ok!",
	} {
		require.ErrorContains(t, identity.ValidateUserLabels(map[string]string{key: value}), `label "`+key+`"`)
	}
	err := identity.ValidateUserLabels(map[string]string{"b b": "x", "a a": "x"})
	require.Regexp(t, `(?s)"a a".*"b b"`, err.Error(), "all of them, in a stable order")
}

func TestValidateUserAnnotations(t *testing.T) {
	t.Parallel()
	require.NoError(t, identity.ValidateUserAnnotations(map[string]string{"example.com/Note": "any text\n\x01", "UPPER.example.com/x": "y"}))
	for _, key := range []string{identity.AnnotationRecord, "kontinue.cloud/x", "Kontinue.Cloud/Outcome", "batch.kubernetes.io/job-tracking", "job-name", "", "a b"} {
		err := identity.ValidateUserAnnotations(map[string]string{key: "s3cret"})
		require.ErrorContains(t, err, `annotation "`+key+`"`)
		require.NotContains(t, err.Error(), "s3cret")
	}
	require.Error(t, identity.ValidateUserAnnotations(map[string]string{"a": strings.Repeat("x", 256<<10)}))
}

func spec() *batchv1.JobSpec {
	return &batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		Containers: []corev1.Container{{
			Name: "main", Image: "alpine:3.19", Command: []string{"true"},
			Env:       []corev1.EnvVar{{Name: "A", Value: "1"}},
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("500m")}},
		}},
		RestartPolicy: corev1.RestartPolicyNever,
	}}}
}

// TestSpecHashGolden freezes the hash: a different one would look like a changed spec.
func TestSpecHashGolden(t *testing.T) {
	t.Parallel()
	require.Equal(t, "sha256:9e458ff901933284fece8c7378090979", identity.SpecHash(&batchv1.JobSpec{}))
	require.Equal(t, "sha256:2255b8f670c1619803c9ad6c503a5102", identity.SpecHash(spec()))
}

func TestSpecHashSameSpec(t *testing.T) {
	t.Parallel()
	want := identity.SpecHash(spec())
	for name, change := range map[string]func(*batchv1.JobSpec){
		"empty slice": func(s *batchv1.JobSpec) { s.Template.Spec.Volumes = []corev1.Volume{} },
		"empty map":   func(s *batchv1.JobSpec) { s.Template.Labels = map[string]string{} },
		"quantity": func(s *batchv1.JobSpec) {
			s.Template.Spec.Containers[0].Resources.Limits["cpu"] = resource.MustParse("0.5")
		},
		"through JSON": func(s *batchv1.JobSpec) {
			raw, err := json.Marshal(s)
			require.NoError(t, err)
			*s = batchv1.JobSpec{}
			require.NoError(t, json.Unmarshal(raw, s))
		},
	} {
		s := spec()
		change(s)
		require.Equal(t, want, identity.SpecHash(s), name)
	}
}

func TestSpecHashOtherSpec(t *testing.T) {
	t.Parallel()
	seen := map[string]string{identity.SpecHash(spec()): "base"}
	big := func(n int64) func(*batchv1.JobSpec) {
		return func(s *batchv1.JobSpec) { s.ActiveDeadlineSeconds = &n }
	}
	zero := int32(0)
	for name, change := range map[string]func(*batchv1.JobSpec){
		"image":        func(s *batchv1.JobSpec) { s.Template.Spec.Containers[0].Image = "alpine:3.20" },
		"args":         func(s *batchv1.JobSpec) { s.Template.Spec.Containers[0].Args = []string{"x"} },
		"env":          func(s *batchv1.JobSpec) { s.Template.Spec.Containers[0].Env[0].Value = "2" },
		"zero pointer": func(s *batchv1.JobSpec) { s.BackoffLimit = &zero },
		"label":        func(s *batchv1.JobSpec) { s.Template.Labels = map[string]string{"a": "b"} },
		"2^53":         big(1 << 53),
		"2^53+1":       big(1<<53 + 1),
		"empty selector": func(s *batchv1.JobSpec) {
			s.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{LabelSelector: &metav1.LabelSelector{}}}
		},
		"no selector": func(s *batchv1.JobSpec) {
			s.Template.Spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{{}}
		},
	} {
		s := spec()
		change(s)
		h := identity.SpecHash(s)
		require.Empty(t, seen[h], "%s has the hash of %s", name, seen[h])
		seen[h] = name
		require.Regexp(t, `^sha256:[0-9a-f]{32}$`, h)
	}
}
