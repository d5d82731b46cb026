package apiserver

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func TestJobDefaults(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	in := testJob("a")
	in.Labels = nil
	in.Spec.Template.Labels = map[string]string{"team": "x"}
	in.Status.Succeeded = 3
	job := createJob(t, c, in)
	spec := job.Spec
	require.Equal(t, int32(6), *spec.BackoffLimit)
	require.Equal(t, int32(1), *spec.Completions)
	require.Equal(t, int32(1), *spec.Parallelism)
	require.Equal(t, batchv1.NonIndexedCompletion, *spec.CompletionMode)
	require.Equal(t, batchv1.TerminatingOrFailed, *spec.PodReplacementPolicy)
	require.False(t, *spec.Suspend)
	require.False(t, *spec.ManualSelector)
	require.Equal(t, spec.Template.Labels, job.Labels, "a Job without labels takes the template's, the generated ones too")
	require.Equal(t, batchv1.JobStatus{}, job.Status)
	require.Equal(t, map[string]string{"batch.kubernetes.io/controller-uid": string(job.UID)}, spec.Selector.MatchLabels)
	require.Equal(t, map[string]string{
		"team": "x", "job-name": "a", "controller-uid": string(job.UID),
		"batch.kubernetes.io/job-name": "a", "batch.kubernetes.io/controller-uid": string(job.UID),
	}, spec.Template.Labels)
	pod := spec.Template.Spec
	require.Equal(t, int64(30), *pod.TerminationGracePeriodSeconds)
	require.Equal(t, corev1.DNSClusterFirst, pod.DNSPolicy)
	require.Equal(t, "default-scheduler", pod.SchedulerName)
	require.NotNil(t, pod.SecurityContext)
	require.Empty(t, pod.ServiceAccountName, "that is the pod's default, not the template's")
	require.Equal(t, corev1.PullIfNotPresent, pod.Containers[0].ImagePullPolicy)
	require.Equal(t, "/dev/termination-log", pod.Containers[0].TerminationMessagePath)
	require.Equal(t, corev1.TerminationMessageReadFile, pod.Containers[0].TerminationMessagePolicy)
}

func TestJobDefaultsThatDepend(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	in := testJob("queue")
	in.Spec.Parallelism = ptr.To[int32](2)
	require.Nil(t, createJob(t, c, in).Spec.Completions, "a work queue Job has no completions")

	in = testJob("policy")
	in.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action: batchv1.PodFailurePolicyActionIgnore, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget}}}}}
	job := createJob(t, c, in)
	require.Equal(t, batchv1.Failed, *job.Spec.PodReplacementPolicy)
	require.Equal(t, corev1.ConditionTrue, job.Spec.PodFailurePolicy.Rules[0].OnPodConditions[0].Status)

	in = testJob("indexed")
	in.Spec.CompletionMode = ptr.To(batchv1.IndexedCompletion)
	in.Spec.Completions = ptr.To[int32](3)
	in.Spec.BackoffLimitPerIndex = ptr.To[int32](1)
	require.Equal(t, int32(1<<31-1), *createJob(t, c, in).Spec.BackoffLimit)
}

func TestJobValidation(t *testing.T) {
	t.Parallel()
	name63 := strings.Repeat("a", 63)
	for _, tc := range []struct {
		name   string
		change func(*batchv1.Job)
		field  string // "" is valid
		text   string
	}{
		{"as it is", func(*batchv1.Job) {}, "", ""},
		{"63 characters", func(j *batchv1.Job) { j.Name = name63 }, "", ""},
		{"64 characters", func(j *batchv1.Job) { j.Name = name63 + "a" }, "spec.template.labels", "must be no more than 63"},
		{"upper case", func(j *batchv1.Job) { j.Name = "A" }, "metadata.name", "RFC 1123 subdomain"},
		{"no name", func(j *batchv1.Job) { j.Name = "" }, "metadata.name", "name or generateName is required"},
		{"label value", func(j *batchv1.Job) { j.Labels["app"] = "a b" }, "metadata.labels", "valid label"},
		{"owner without uid", func(j *batchv1.Job) {
			j.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "x"}}
		}, "metadata.ownerReferences[0].uid", "must not be empty"},
		{"restart always", func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways }, "spec.template.spec.restartPolicy", `valid values: "OnFailure", "Never"`},
		{"restart unset", func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = "" }, "spec.template.spec.restartPolicy", `valid values: "OnFailure", "Never"`},
		{"restart nonsense", func(j *batchv1.Job) { j.Spec.Template.Spec.RestartPolicy = "Maybe" }, "spec.template.spec.restartPolicy", "Unsupported value"},
		{"no container", func(j *batchv1.Job) { j.Spec.Template.Spec.Containers = nil }, "spec.template.spec.containers", "Required value"},
		{"no image", func(j *batchv1.Job) { j.Spec.Template.Spec.Containers[0].Image = "" }, "spec.template.spec.containers[0].image", "Required value"},
		{"container name", func(j *batchv1.Job) { j.Spec.Template.Spec.Containers[0].Name = "a_b" }, "spec.template.spec.containers[0].name", "RFC 1123 label"},
		{"same container name", func(j *batchv1.Job) {
			j.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "main", Image: "x"}}
		}, "spec.template.spec.initContainers[0].name", "Duplicate value"},
		{"mount without volume", func(j *batchv1.Job) {
			j.Spec.Template.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
		}, "spec.template.spec.containers[0].volumeMounts[0].name", "Not found"},
		{"negative backoff", func(j *batchv1.Job) { j.Spec.BackoffLimit = ptr.To[int32](-1) }, "spec.backoffLimit", "greater than or equal to 0"},
		{"negative deadline", func(j *batchv1.Job) { j.Spec.ActiveDeadlineSeconds = ptr.To[int64](-1) }, "spec.activeDeadlineSeconds", "greater than or equal to 0"},
		{"negative ttl", func(j *batchv1.Job) { j.Spec.TTLSecondsAfterFinished = ptr.To[int32](-1) }, "spec.ttlSecondsAfterFinished", "greater than or equal to 0"},
		{"indexed without completions", func(j *batchv1.Job) {
			j.Spec.CompletionMode, j.Spec.Parallelism = ptr.To(batchv1.IndexedCompletion), ptr.To[int32](1)
		}, "spec.completions", "when completion mode is Indexed"},
		{"index makes the host name too long", func(j *batchv1.Job) {
			j.Name = name63
			j.Spec.CompletionMode, j.Spec.Completions = ptr.To(batchv1.IndexedCompletion), ptr.To[int32](1)
		}, "metadata.name", "will not able to create pod with invalid DNS label"},
		{"per index without indexes", func(j *batchv1.Job) { j.Spec.BackoffLimitPerIndex = ptr.To[int32](1) }, "spec.backoffLimitPerIndex", "requires indexed completion mode"},
		{"max failed without per index", func(j *batchv1.Job) {
			j.Spec.CompletionMode, j.Spec.Completions = ptr.To(batchv1.IndexedCompletion), ptr.To[int32](1)
			j.Spec.MaxFailedIndexes = ptr.To[int32](1)
		}, "spec.backoffLimitPerIndex", "when maxFailedIndexes is specified"},
		{"success policy without indexes", func(j *batchv1.Job) {
			j.Spec.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededCount: ptr.To[int32](1)}}}
		}, "spec.successPolicy", "requires indexed completion mode"},
		{"success count", func(j *batchv1.Job) {
			j.Spec.CompletionMode, j.Spec.Completions = ptr.To(batchv1.IndexedCompletion), ptr.To[int32](1)
			j.Spec.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededCount: ptr.To[int32](2)}}}
		}, "spec.successPolicy.rules[0].succeededCount", "must be less than or equal to 1"},
		{"failure policy and OnFailure", func(j *batchv1.Job) {
			j.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
			j.Spec.PodFailurePolicy = exitCodePolicy(batchv1.PodFailurePolicyOnExitCodesOpIn, 1)
		}, "spec.template.spec.restartPolicy", `only "Never" is supported`},
		{"exit code zero", func(j *batchv1.Job) {
			j.Spec.PodFailurePolicy = exitCodePolicy(batchv1.PodFailurePolicyOnExitCodesOpIn, 0)
		}, "spec.podFailurePolicy.rules[0].onExitCodes.values[0]", "must not be 0"},
		{"exit codes unordered", func(j *batchv1.Job) {
			j.Spec.PodFailurePolicy = exitCodePolicy(batchv1.PodFailurePolicyOnExitCodesOpNotIn, 2, 1)
		}, "spec.podFailurePolicy.rules[0].onExitCodes.values", "must be ordered"},
		{"rule without a test", func(j *batchv1.Job) {
			j.Spec.PodFailurePolicy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{Action: batchv1.PodFailurePolicyActionCount}}}
		}, "spec.podFailurePolicy.rules[0]", "one of OnExitCodes and OnPodConditions is required"},
		{"fail index without indexes", func(j *batchv1.Job) {
			j.Spec.PodFailurePolicy = exitCodePolicy(batchv1.PodFailurePolicyOnExitCodesOpIn, 1)
			j.Spec.PodFailurePolicy.Rules[0].Action = batchv1.PodFailurePolicyActionFailIndex
		}, "spec.podFailurePolicy.rules[0].action", "requires the backoffLimitPerIndex"},
		{"replacement with failure policy", func(j *batchv1.Job) {
			j.Spec.PodFailurePolicy = exitCodePolicy(batchv1.PodFailurePolicyOnExitCodesOpIn, 1)
			j.Spec.PodReplacementPolicy = ptr.To(batchv1.TerminatingOrFailed)
		}, "spec.podReplacementPolicy", "Unsupported value"},
		{"managedBy", func(j *batchv1.Job) { j.Spec.ManagedBy = ptr.To("nodomain") }, "spec.managedBy", "domain-prefixed path"},
		{"wrong generated label", func(j *batchv1.Job) {
			j.Spec.Template.Labels = map[string]string{"job-name": "other"}
		}, "spec.template.metadata.labels[job-name]", "must be 'a'"},
		{"own selector", func(j *batchv1.Job) {
			j.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"x": "y"}}
		}, "spec.selector", "`selector` not auto-generated"},
		{"manual selector", func(j *batchv1.Job) {
			j.Spec.ManualSelector = ptr.To(true)
			j.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"x": "y"}}
			j.Spec.Template.Labels = map[string]string{"x": "y"}
		}, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, c := newServer(t)
			job := testJob("a")
			tc.change(job)
			_, err := c.BatchV1().Jobs(testNamespace).Create(t.Context(), job, metav1.CreateOptions{})
			if tc.field == "" {
				require.NoError(t, err)
				return
			}
			requireReason(t, err, metav1.StatusReasonInvalid, `Job.batch "`+job.Name+`" is invalid`, tc.text)
			requireCause(t, err, tc.field)
		})
	}
}

func exitCodePolicy(op batchv1.PodFailurePolicyOnExitCodesOperator, codes ...int32) *batchv1.PodFailurePolicy {
	return &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{{
		Action: batchv1.PodFailurePolicyActionFailJob, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: op, Values: codes}}}}
}

func requireCause(t testing.TB, err error, field string) {
	t.Helper()
	var fields []string
	for _, cause := range err.(apierrors.APIStatus).Status().Details.Causes {
		fields = append(fields, cause.Field)
	}
	require.Contains(t, fields, field)
}

func TestJobImmutableFields(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, patch, field string
	}{
		{"deadline", `{"activeDeadlineSeconds":5}`, ""},
		{"ttl", `{"ttlSecondsAfterFinished":5}`, ""},
		{"parallelism", `{"parallelism":0}`, ""},
		{"suspend", `{"suspend":true}`, ""},
		{"backoffLimit", `{"backoffLimit":1}`, ""},
		{"completions", `{"completions":2}`, "spec.completions"},
		{"template", `{"template":{"metadata":{"annotations":{"a":"b"}}}}`, "spec.template"},
		{"selector", `{"selector":{"matchLabels":{"job-name":"a"}}}`, "spec.selector"},
		{"completionMode", `{"completionMode":"Indexed"}`, "spec.completionMode"},
		{"managedBy", `{"managedBy":"example.org/x"}`, "spec.managedBy"},
		{"invalid value", `{"parallelism":-1}`, "spec.parallelism"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, c := newServer(t)
			createJob(t, c, testJob("a"))
			_, err := c.BatchV1().Jobs(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(`{"spec":`+tc.patch+`}`), metav1.PatchOptions{})
			if tc.field == "" {
				require.NoError(t, err)
				return
			}
			requireReason(t, err, metav1.StatusReasonInvalid)
			requireCause(t, err, tc.field)
		})
	}
}

func TestSuspendedJobTemplateIsMutable(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	job := testJob("a")
	job.Spec.Suspend = ptr.To(true)
	createJob(t, c, job)
	patch := func(body string) error {
		_, err := c.BatchV1().Jobs(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(body), metav1.PatchOptions{})
		return err
	}
	require.NoError(t, patch(`{"spec":{"template":{"spec":{"nodeSelector":{"pool":"x"}}}}}`))
	requireReason(t, patch(`{"spec":{"template":{"spec":{"hostname":"x"}}}}`), metav1.StatusReasonInvalid)
}

func TestIndexedJobScalesInTandem(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	job := testJob("a")
	job.Spec.CompletionMode, job.Spec.Completions, job.Spec.Parallelism = ptr.To(batchv1.IndexedCompletion), ptr.To[int32](2), ptr.To[int32](2)
	createJob(t, c, job)
	patch := func(body string) error {
		_, err := c.BatchV1().Jobs(testNamespace).Patch(t.Context(), "a", types.MergePatchType, []byte(body), metav1.PatchOptions{})
		return err
	}
	requireReason(t, patch(`{"spec":{"completions":3}}`), metav1.StatusReasonInvalid, "in tandem with spec.parallelism")
	require.NoError(t, patch(`{"spec":{"completions":3,"parallelism":3}}`))
}

// TestJobStatusTransitions checks that status writes follow KEP-4368.
func TestJobStatusTransitions(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	jobs := c.BatchV1().Jobs(testNamespace)
	start := metav1.NewTime(time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC))
	later := metav1.NewTime(start.Add(time.Minute))
	cond := func(types ...batchv1.JobConditionType) []batchv1.JobCondition {
		var out []batchv1.JobCondition
		for _, t := range types {
			out = append(out, batchv1.JobCondition{Type: t, Status: corev1.ConditionTrue})
		}
		return out
	}
	job := createJob(t, c, testJob("a"))
	write := func(change func(*batchv1.JobStatus)) error {
		next := job.DeepCopy()
		change(&next.Status)
		out, err := jobs.UpdateStatus(t.Context(), next, metav1.UpdateOptions{})
		if err == nil {
			job = out
		}
		return err
	}
	refused := func(text string, change func(*batchv1.JobStatus)) {
		t.Helper()
		requireReason(t, write(change), metav1.StatusReasonInvalid, text)
	}
	refused("startTime is required", func(s *batchv1.JobStatus) {
		s.Conditions, s.CompletionTime = cond(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete), &later
	})
	require.NoError(t, write(func(s *batchv1.JobStatus) { s.StartTime, s.Active = &start, 1 }))
	require.Zero(t, job.Status.StartTime.Nanosecond(), "times have whole seconds")
	refused("field is immutable for unsuspended job once set", func(s *batchv1.JobStatus) { s.StartTime = &later })
	refused("cannot set more ready pods than active", func(s *batchv1.JobStatus) { s.Ready = ptr.To[int32](2) })
	refused("without the SuccessCriteriaMet=true condition", func(s *batchv1.JobStatus) {
		s.Active, s.Conditions, s.CompletionTime = 0, cond(batchv1.JobComplete), &later
	})
	refused("without the FailureTarget=true condition", func(s *batchv1.JobStatus) { s.Active, s.Conditions = 0, cond(batchv1.JobFailed) })
	refused("active>0 is invalid for finished job", func(s *batchv1.JobStatus) {
		s.Conditions = cond(batchv1.JobFailureTarget, batchv1.JobFailed)
	})
	refused("terminating>0 is invalid", func(s *batchv1.JobStatus) {
		s.Active, s.Terminating, s.Conditions = 0, ptr.To[int32](1), cond(batchv1.JobFailureTarget, batchv1.JobFailed)
	})
	refused("must be empty for finished job", func(s *batchv1.JobStatus) {
		s.Active, s.Conditions = 0, cond(batchv1.JobFailureTarget, batchv1.JobFailed)
		s.UncountedTerminatedPods = &batchv1.UncountedTerminatedPods{Failed: []types.UID{"u"}}
	})
	refused("completionTime is required", func(s *batchv1.JobStatus) {
		s.Active, s.Conditions = 0, cond(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete)
	})
	require.NoError(t, write(func(s *batchv1.JobStatus) { s.Active, s.Conditions = 0, cond(batchv1.JobSuccessCriteriaMet) }))
	refused("cannot disable the SuccessCriteriaMet=True condition", func(s *batchv1.JobStatus) { s.Conditions = nil })
	refused("cannot set SuccessCriteriaMet=True and FailureTarget=true", func(s *batchv1.JobStatus) {
		s.Conditions = cond(batchv1.JobSuccessCriteriaMet, batchv1.JobFailureTarget)
	})
	require.NoError(t, write(func(s *batchv1.JobStatus) {
		s.Conditions, s.Succeeded, s.CompletionTime = cond(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete), 1, &later
	}))
	refused("cannot disable the terminal Complete=True condition", func(s *batchv1.JobStatus) {
		s.Conditions, s.CompletionTime = cond(batchv1.JobSuccessCriteriaMet), nil
	})
	refused("cannot decrease the succeeded counter", func(s *batchv1.JobStatus) { s.Succeeded = 0 })
	refused("cannot set Complete=True and Failed=true conditions", func(s *batchv1.JobStatus) {
		s.Conditions = cond(batchv1.JobSuccessCriteriaMet, batchv1.JobComplete, batchv1.JobFailed)
	})
	refused("field is immutable", func(s *batchv1.JobStatus) { s.CompletionTime = ptr.To(metav1.NewTime(later.Add(time.Hour))) })
}
