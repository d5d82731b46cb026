package registry

import (
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

func validateJobUpdate(o, c Object, sub string) field.ErrorList {
	job, cur := As[*batchv1.Job](o), As[*batchv1.Job](c)
	if sub == "status" {
		return validateJobStatus(job, cur)
	}
	// What has not changed was valid when it was stored.
	if job.Generation == cur.Generation {
		return nil
	}
	at := field.NewPath("spec")
	errs := validateJobSpec(&job.Spec)
	immutable := func(now, old any, name string) {
		errs = append(errs, apivalidation.ValidateImmutableField(now, old, at.Child(name))...)
	}
	errs = append(errs, validateCompletionsUpdate(&job.Spec, &cur.Spec, at.Child("completions"))...)
	immutable(job.Spec.Selector, cur.Spec.Selector, "selector")
	immutable(templateToCompare(job, cur), cur.Spec.Template, "template")
	immutable(job.Spec.CompletionMode, cur.Spec.CompletionMode, "completionMode")
	immutable(job.Spec.PodFailurePolicy, cur.Spec.PodFailurePolicy, "podFailurePolicy")
	immutable(job.Spec.BackoffLimitPerIndex, cur.Spec.BackoffLimitPerIndex, "backoffLimitPerIndex")
	immutable(job.Spec.ManagedBy, cur.Spec.ManagedBy, "managedBy")
	immutable(job.Spec.SuccessPolicy, cur.Spec.SuccessPolicy, "successPolicy")
	return append(errs, validateIndexedName(job)...)
}

// validateCompletionsUpdate: an Indexed Job can be scaled if parallelism goes along (KEP-3715).
func validateCompletionsUpdate(spec, old *batchv1.JobSpec, at *field.Path) field.ErrorList {
	if ptr.Equal(spec.Completions, old.Completions) {
		return nil
	}
	elastic := *spec.CompletionMode == batchv1.IndexedCompletion && spec.Completions != nil && old.Completions != nil
	if elastic {
		if ptr.Equal(spec.Completions, spec.Parallelism) {
			return nil
		}
		return field.ErrorList{field.Invalid(at, spec.Completions, "can only be modified in tandem with spec.parallelism")}
	}
	return apivalidation.ValidateImmutableField(spec.Completions, old.Completions, at)
}

// templateToCompare returns the new template with those fields set back that may
// change now: the scheduling directives of a suspended Job without pods, and its
// containers' resources.
func templateToCompare(job, cur *batchv1.Job) corev1.PodTemplateSpec {
	st := cur.Status
	suspended := ptr.Deref(cur.Spec.Suspend, false)
	if !suspended || st.Active > 0 || st.StartTime != nil && !jobHas(cur, batchv1.JobSuspended) {
		return job.Spec.Template
	}
	template, old := job.Spec.Template.DeepCopy(), cur.Spec.Template
	template.Labels, template.Annotations = old.Labels, old.Annotations
	template.Spec.NodeSelector, template.Spec.Tolerations = old.Spec.NodeSelector, old.Spec.Tolerations
	template.Spec.SchedulingGates = old.Spec.SchedulingGates
	template.Spec.Affinity = old.Spec.Affinity
	for _, pair := range [][2][]corev1.Container{
		{template.Spec.Containers, old.Spec.Containers}, {template.Spec.InitContainers, old.Spec.InitContainers},
	} {
		for i := range min(len(pair[0]), len(pair[1])) {
			pair[0][i].Resources = pair[1][i].Resources
		}
	}
	return *template
}

func jobHas(job *batchv1.Job, t batchv1.JobConditionType) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == t {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
