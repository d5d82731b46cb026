package registry

import (
	"fmt"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"
)

// Limits of the pod failure policy, from pkg/apis/batch/validation.
const (
	maxFailurePolicyRules     = 20
	maxFailurePolicyExitCodes = 255
	maxFailurePolicyPatterns  = 20
	maxSuccessPolicyRules     = 20
)

// validatePolicies checks podFailurePolicy, podReplacementPolicy and successPolicy.
func validatePolicies(spec *batchv1.JobSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if p := spec.PodFailurePolicy; p != nil {
		rules := at.Child("podFailurePolicy", "rules")
		if len(p.Rules) > maxFailurePolicyRules {
			errs = append(errs, field.TooMany(rules, len(p.Rules), maxFailurePolicyRules))
		}
		for i := range p.Rules {
			errs = append(errs, validateFailureRule(spec, &p.Rules[i], rules.Index(i))...)
		}
	}
	replacement := at.Child("podReplacementPolicy")
	switch policy := *spec.PodReplacementPolicy; {
	case spec.PodFailurePolicy != nil && policy != batchv1.Failed:
		errs = append(errs, field.NotSupported(replacement, policy, []batchv1.PodReplacementPolicy{batchv1.Failed}))
	case policy != batchv1.Failed && policy != batchv1.TerminatingOrFailed:
		errs = append(errs, field.NotSupported(replacement, policy, []batchv1.PodReplacementPolicy{batchv1.Failed, batchv1.TerminatingOrFailed}))
	}
	if p := spec.SuccessPolicy; p != nil && *spec.CompletionMode == batchv1.IndexedCompletion {
		errs = append(errs, validateSuccessPolicy(spec, at.Child("successPolicy", "rules"))...)
	}
	return errs
}

func validateFailureRule(spec *batchv1.JobSpec, rule *batchv1.PodFailurePolicyRule, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	actions := []batchv1.PodFailurePolicyAction{
		batchv1.PodFailurePolicyActionCount, batchv1.PodFailurePolicyActionFailIndex,
		batchv1.PodFailurePolicyActionFailJob, batchv1.PodFailurePolicyActionIgnore,
	}
	switch {
	case rule.Action == "":
		errs = append(errs, field.Required(at.Child("action"), fmt.Sprintf("valid values: %q", actions)))
	case !slices.Contains(actions, rule.Action):
		errs = append(errs, field.NotSupported(at.Child("action"), rule.Action, actions))
	case rule.Action == batchv1.PodFailurePolicyActionFailIndex && spec.BackoffLimitPerIndex == nil:
		errs = append(errs, field.Invalid(at.Child("action"), rule.Action, "requires the backoffLimitPerIndex to be set"))
	}
	if rule.OnExitCodes != nil {
		errs = append(errs, validateExitCodes(spec, rule.OnExitCodes, at.Child("onExitCodes"))...)
	}
	conditions := at.Child("onPodConditions")
	if n := len(rule.OnPodConditions); n > maxFailurePolicyPatterns {
		errs = append(errs, field.TooMany(conditions, n, maxFailurePolicyPatterns))
	}
	for i, c := range rule.OnPodConditions {
		if c.Type == "" {
			errs = append(errs, field.Invalid(conditions.Index(i).Child("type"), c.Type, "name part must be non-empty"))
		}
	}
	switch {
	case rule.OnExitCodes != nil && len(rule.OnPodConditions) > 0:
		errs = append(errs, field.Invalid(at, field.OmitValueType{}, "specifying both OnExitCodes and OnPodConditions is not supported"))
	case rule.OnExitCodes == nil && len(rule.OnPodConditions) == 0:
		errs = append(errs, field.Invalid(at, field.OmitValueType{}, "specifying one of OnExitCodes and OnPodConditions is required"))
	}
	return errs
}

func validateExitCodes(spec *batchv1.JobSpec, on *batchv1.PodFailurePolicyOnExitCodesRequirement, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	operators := []batchv1.PodFailurePolicyOnExitCodesOperator{batchv1.PodFailurePolicyOnExitCodesOpIn, batchv1.PodFailurePolicyOnExitCodesOpNotIn}
	switch {
	case on.Operator == "":
		errs = append(errs, field.Required(at.Child("operator"), fmt.Sprintf("valid values: %q", operators)))
	case !slices.Contains(operators, on.Operator):
		errs = append(errs, field.NotSupported(at.Child("operator"), on.Operator, operators))
	}
	if on.ContainerName != nil {
		known := false
		template := spec.Template.Spec
		for _, c := range slices.Concat(template.InitContainers, template.Containers) {
			known = known || c.Name == *on.ContainerName
		}
		if !known {
			errs = append(errs, field.Invalid(at.Child("containerName"), *on.ContainerName, "must be one of the container or initContainer names in the pod template"))
		}
	}
	values := at.Child("values")
	switch n := len(on.Values); {
	case n == 0:
		errs = append(errs, field.Invalid(values, on.Values, "at least one value is required"))
	case n > maxFailurePolicyExitCodes:
		errs = append(errs, field.TooMany(values, n, maxFailurePolicyExitCodes))
	}
	for i, v := range on.Values {
		if v == 0 && on.Operator == batchv1.PodFailurePolicyOnExitCodesOpIn {
			errs = append(errs, field.Invalid(values.Index(i), v, "must not be 0 for the In operator"))
		}
		if slices.Index(on.Values, v) < i {
			errs = append(errs, field.Duplicate(values.Index(i), v))
		}
	}
	if !slices.IsSorted(on.Values) {
		errs = append(errs, field.Invalid(values, on.Values, "must be ordered"))
	}
	return errs
}

func validateSuccessPolicy(spec *batchv1.JobSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	rules := spec.SuccessPolicy.Rules
	if len(rules) == 0 {
		errs = append(errs, field.Required(at, "at least one rules must be specified when the successPolicy is specified"))
	}
	if len(rules) > maxSuccessPolicyRules {
		errs = append(errs, field.TooMany(at, len(rules), maxSuccessPolicyRules))
	}
	completions := ptr.Deref(spec.Completions, 0)
	for i, rule := range rules {
		if rule.SucceededCount == nil && rule.SucceededIndexes == nil {
			errs = append(errs, field.Required(at.Index(i), "at least one of succeededCount or succeededIndexes must be specified"))
		}
		if text := rule.SucceededIndexes; text != nil && *text != "" {
			if _, err := countIndexes(*text, completions); err != nil {
				errs = append(errs, field.Invalid(at.Index(i).Child("succeededIndexes"), *text, "error parsing succeededIndexes: "+err.Error()))
			}
		}
		if n := rule.SucceededCount; n != nil && (*n < 0 || *n > completions) {
			errs = append(errs, field.Invalid(at.Index(i).Child("succeededCount"), *n,
				fmt.Sprintf("must be less than or equal to %d (the number of specified completions)", completions)))
		}
	}
	return errs
}
