package registry

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ShouldRestart reports whether a container of a pod with the policy is started again after
// it has ended with the exit code: by the first of its rules that matches, else by its own
// policy, else by that of the pod (KEP-5307).
func ShouldRestart(c *corev1.Container, pod corev1.RestartPolicy, code int32) bool {
	policy := string(pod)
	if c.RestartPolicy != nil {
		if ruleFor(c, code) != nil {
			return true // there is no other action
		}
		policy = string(*c.RestartPolicy)
	}
	switch policy {
	case string(corev1.RestartPolicyNever):
		return false
	case string(corev1.RestartPolicyOnFailure):
		return code != 0
	}
	return true
}

// RestartsAll reports whether the end of a container with the exit code restarts all
// containers of its pod (KEP-5532).
func RestartsAll(c *corev1.Container, code int32) bool {
	rule := ruleFor(c, code)
	return rule != nil && rule.Action == corev1.ContainerRestartRuleActionRestartAllContainers
}

// MayRestartAll reports whether a container of the pod has a rule that restarts all of
// them.
func MayRestartAll(spec *corev1.PodSpec) bool {
	found := false
	EachContainer(spec, func(c *corev1.Container) {
		found = found || slices.ContainsFunc(c.RestartPolicyRules, func(r corev1.ContainerRestartRule) bool {
			return r.Action == corev1.ContainerRestartRuleActionRestartAllContainers
		})
	})
	return found
}

// ruleFor returns the rule of a container for an exit code, or nil.
func ruleFor(c *corev1.Container, code int32) *corev1.ContainerRestartRule {
	for i := range c.RestartPolicyRules {
		on := c.RestartPolicyRules[i].ExitCodes
		if on != nil && slices.Contains(on.Values, code) == (on.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn) {
			return &c.RestartPolicyRules[i]
		}
	}
	return nil
}

var (
	restartPolicies = []corev1.ContainerRestartPolicy{
		corev1.ContainerRestartPolicyAlways, corev1.ContainerRestartPolicyNever, corev1.ContainerRestartPolicyOnFailure,
	}
	restartActions = []corev1.ContainerRestartRuleAction{
		corev1.ContainerRestartRuleActionRestart, corev1.ContainerRestartRuleActionRestartAllContainers,
	}
	restartOperators = []corev1.ContainerRestartRuleOnExitCodesOperator{
		corev1.ContainerRestartRuleOnExitCodesOpIn, corev1.ContainerRestartRuleOnExitCodesOpNotIn,
	}
)

const (
	maxRestartRules = 20
	maxExitCodes    = 255
)

func needsRestartPolicy(at *field.Path) *field.Error {
	return field.Required(at.Child("restartPolicy"), "must specify restartPolicy when restart rules are used")
}

func validateRestartPolicy(c *corev1.Container, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	switch {
	case c.RestartPolicy == nil && len(c.RestartPolicyRules) == 0:
		return nil
	case c.RestartPolicy == nil:
		errs = append(errs, needsRestartPolicy(at))
	case !slices.Contains(restartPolicies, *c.RestartPolicy):
		errs = append(errs, field.NotSupported(at.Child("restartPolicy"), *c.RestartPolicy, restartPolicies))
	}
	rules := at.Child("restartPolicyRules")
	if n := len(c.RestartPolicyRules); n > maxRestartRules {
		errs = append(errs, field.TooMany(rules, n, maxRestartRules))
	}
	for i, rule := range c.RestartPolicyRules {
		if !slices.Contains(restartActions, rule.Action) {
			errs = append(errs, field.NotSupported(rules.Index(i).Child("action"), rule.Action, restartActions))
		}
		codes := rules.Index(i).Child("exitCodes")
		if rule.ExitCodes == nil {
			errs = append(errs, field.Required(codes, "must be specified"))
			continue
		}
		if !slices.Contains(restartOperators, rule.ExitCodes.Operator) {
			errs = append(errs, field.NotSupported(codes.Child("operator"), rule.ExitCodes.Operator, restartOperators))
		}
		if n := len(rule.ExitCodes.Values); n > maxExitCodes {
			errs = append(errs, field.TooMany(codes.Child("values"), n, maxExitCodes))
		}
	}
	return errs
}

// validateTransitions: a container stays terminated unless it is started again.
func validateTransitions(now, old []corev1.ContainerStatus, specs []corev1.Container, pod corev1.RestartPolicy, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i, s := range old {
		if s.State.Terminated == nil || !slices.ContainsFunc(now, func(n corev1.ContainerStatus) bool {
			return n.Name == s.Name && n.State.Terminated == nil
		}) {
			continue
		}
		if !slices.ContainsFunc(specs, func(c corev1.Container) bool {
			return c.Name == s.Name && ShouldRestart(&c, pod, s.State.Terminated.ExitCode)
		}) {
			errs = append(errs, field.Forbidden(at.Index(i).Child("state"), "may not be transitioned to non-terminated state"))
		}
	}
	return errs
}
