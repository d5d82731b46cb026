package registry

import (
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// Limits of Indexed Jobs and of managedBy, from pkg/apis/batch/validation.
const (
	maxIndexedParallelism = 100000
	maxManagedByLength    = 63
)

func validateJobCreate(o Object) field.ErrorList {
	job := As[*batchv1.Job](o)
	errs := validateGeneratedSelector(job)
	errs = append(errs, validateJobSpec(&job.Spec)...)
	return append(errs, validateIndexedName(job)...)
}

// validateGeneratedSelector rejects a Job whose user-defined template labels or selector
// would not find its pods by its UID.
func validateGeneratedSelector(job *batchv1.Job) field.ErrorList {
	if *job.Spec.ManualSelector {
		return nil
	}
	var errs field.ErrorList
	at := field.NewPath("spec", "template", "metadata", "labels")
	for _, l := range [][2]string{
		{legacyControllerUIDLabel, string(job.UID)}, {legacyJobNameLabel, job.Name},
		{batchv1.ControllerUidLabel, string(job.UID)}, {batchv1.JobNameLabel, job.Name},
	} {
		if got := job.Spec.Template.Labels[l[0]]; got != l[1] {
			errs = append(errs, field.Invalid(at.Key(l[0]), job.Spec.Template.Labels, fmt.Sprintf("must be '%s'", l[1])))
		}
	}
	generated := labels.Set{
		legacyControllerUIDLabel: string(job.UID), legacyJobNameLabel: job.Name,
		batchv1.ControllerUidLabel: string(job.UID), batchv1.JobNameLabel: job.Name,
	}
	if selector, err := metav1.LabelSelectorAsSelector(job.Spec.Selector); err == nil && !selector.Matches(generated) {
		errs = append(errs, field.Invalid(field.NewPath("spec", "selector"), job.Spec.Selector, "`selector` not auto-generated"))
	}
	return errs
}

// validateIndexedName: the highest index must fit into a pod's host name.
func validateIndexedName(job *batchv1.Job) field.ErrorList {
	if *job.Spec.CompletionMode != batchv1.IndexedCompletion || ptr.Deref(job.Spec.Completions, 0) <= 0 {
		return nil
	}
	host := fmt.Sprintf("%s-%d", job.Name, *job.Spec.Completions-1)
	if len(validation.IsDNS1123Label(host)) == 0 {
		return nil
	}
	return field.ErrorList{field.Invalid(field.NewPath("metadata", "name"), job.Name,
		"will not able to create pod with invalid DNS label: "+host)}
}

func validateJobSpec(spec *batchv1.JobSpec) field.ErrorList {
	at := field.NewPath("spec")
	var errs field.ErrorList
	notNegative := func(value *int32, name string) {
		if value != nil {
			errs = append(errs, apivalidation.ValidateNonnegativeField(int64(*value), at.Child(name))...)
		}
	}
	notNegative(spec.Parallelism, "parallelism")
	notNegative(spec.Completions, "completions")
	if d := spec.ActiveDeadlineSeconds; d != nil {
		errs = append(errs, apivalidation.ValidateNonnegativeField(*d, at.Child("activeDeadlineSeconds"))...)
	}
	notNegative(spec.BackoffLimit, "backoffLimit")
	notNegative(spec.TTLSecondsAfterFinished, "ttlSecondsAfterFinished")
	notNegative(spec.BackoffLimitPerIndex, "backoffLimitPerIndex")
	notNegative(spec.MaxFailedIndexes, "maxFailedIndexes")
	if spec.ManagedBy != nil {
		errs = append(errs, validation.IsDomainPrefixedPath(at.Child("managedBy"), *spec.ManagedBy)...)
		if len(*spec.ManagedBy) > maxManagedByLength {
			errs = append(errs, field.TooLong(at.Child("managedBy"), "", maxManagedByLength))
		}
	}
	errs = append(errs, validateCompletionMode(spec, at)...)
	errs = append(errs, validatePolicies(spec, at)...)
	errs = append(errs, metavalidation.ValidateLabelSelector(spec.Selector, metavalidation.LabelSelectorValidationOptions{}, at.Child("selector"))...)
	if selector, err := metav1.LabelSelectorAsSelector(spec.Selector); err == nil && !selector.Matches(labels.Set(spec.Template.Labels)) {
		errs = append(errs, field.Invalid(at.Child("template", "metadata", "labels"), spec.Template.Labels, "`selector` does not match template `labels`"))
	}
	template := at.Child("template")
	errs = append(errs, metavalidation.ValidateLabels(spec.Template.Labels, template.Child("labels"))...)
	errs = append(errs, apivalidation.ValidateAnnotations(spec.Template.Annotations, template.Child("annotations"))...)
	errs = append(errs, validatePodSpec(&spec.Template.Spec, template.Child("spec"))...)
	return append(errs, validateJobRestartPolicy(spec, template.Child("spec", "restartPolicy"))...)
}

func validateJobRestartPolicy(spec *batchv1.JobSpec, at *field.Path) field.ErrorList {
	switch policy := spec.Template.Spec.RestartPolicy; policy {
	case "", corev1.RestartPolicyAlways:
		return field.ErrorList{field.Required(at, fmt.Sprintf("valid values: %q, %q", corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever))}
	case corev1.RestartPolicyNever:
		return nil
	case corev1.RestartPolicyOnFailure:
		if spec.PodFailurePolicy != nil {
			return field.ErrorList{field.Invalid(at, policy, fmt.Sprintf("only %q is supported when podFailurePolicy is specified", corev1.RestartPolicyNever))}
		}
		return nil
	default:
		return field.ErrorList{field.NotSupported(at, policy, []corev1.RestartPolicy{corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever})}
	}
}

func validateCompletionMode(spec *batchv1.JobSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch mode := *spec.CompletionMode; mode {
	case batchv1.IndexedCompletion:
		if spec.Completions == nil {
			errs = append(errs, field.Required(at.Child("completions"), "when completion mode is Indexed"))
		}
		if ptr.Deref(spec.Parallelism, 0) > maxIndexedParallelism {
			errs = append(errs, field.Invalid(at.Child("parallelism"), *spec.Parallelism,
				fmt.Sprintf("must be less than or equal to %d when completion mode is Indexed", maxIndexedParallelism)))
		}
		if spec.Completions != nil && spec.MaxFailedIndexes != nil && *spec.MaxFailedIndexes > *spec.Completions {
			errs = append(errs, field.Invalid(at.Child("maxFailedIndexes"), *spec.MaxFailedIndexes, "must be less than or equal to completions"))
		}
		if spec.MaxFailedIndexes != nil && spec.BackoffLimitPerIndex == nil {
			errs = append(errs, field.Required(at.Child("backoffLimitPerIndex"), "when maxFailedIndexes is specified"))
		}
	case batchv1.NonIndexedCompletion:
		if spec.BackoffLimitPerIndex != nil {
			errs = append(errs, field.Invalid(at.Child("backoffLimitPerIndex"), *spec.BackoffLimitPerIndex, "requires indexed completion mode"))
		}
		if spec.MaxFailedIndexes != nil {
			errs = append(errs, field.Invalid(at.Child("maxFailedIndexes"), *spec.MaxFailedIndexes, "requires indexed completion mode"))
		}
		if spec.SuccessPolicy != nil {
			errs = append(errs, field.Invalid(at.Child("successPolicy"), *spec.SuccessPolicy, "requires indexed completion mode"))
		}
	default:
		errs = append(errs, field.NotSupported(at.Child("completionMode"), mode,
			[]batchv1.CompletionMode{batchv1.NonIndexedCompletion, batchv1.IndexedCompletion}))
	}
	return errs
}
