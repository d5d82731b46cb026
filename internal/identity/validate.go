package identity

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
)

var unnamedForm = regexp.MustCompile(`^` + unnamedPrefix + `[0-9]+$`)

// ValidateStepName checks a name that the user gave to a step: a label value of
// 1 to 63 characters, and not of the form step-N, which unnamed steps have.
func ValidateStepName(name string) error {
	if unnamedForm.MatchString(name) {
		return fmt.Errorf("step name %q is reserved for unnamed steps: choose a name that is not step-<number>", name)
	}
	return labelValue("step name", name)
}

// ValidateGroup checks the name of a worker group: a label value of 1 to 63 characters.
func ValidateGroup(group string) error { return labelValue("worker group", group) }

func labelValue(what, v string) error {
	if v == "" {
		return fmt.Errorf("%s is empty", what)
	}
	if problems := validation.IsValidLabelValue(v); len(problems) > 0 {
		return fmt.Errorf("%s %q: %s", what, v, strings.Join(problems, "; "))
	}
	return nil
}

// ValidateUserLabels checks labels that a user adds to a Job or a pod template:
// the syntax of Kubernetes labels, and no key that belongs to kontinue or to the
// Job controller.
func ValidateUserLabels(labels map[string]string) error {
	var errs []error
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		problems := validation.IsQualifiedName(k)
		problems = append(problems, validation.IsValidLabelValue(labels[k])...)
		errs = append(errs, keyError("label", k, problems))
	}
	return errors.Join(errs...)
}

// ValidateUserAnnotations checks annotations that a user adds to a Job or a pod
// template: the syntax of keys, the total size that the API server allows
// (256 KiB), and no reserved key. Values are never part of the error.
func ValidateUserAnnotations(annotations map[string]string) error {
	var errs []error
	for _, k := range slices.Sorted(maps.Keys(annotations)) {
		// The API server lower-cases annotation keys before it checks their syntax.
		errs = append(errs, keyError("annotation", k, validation.IsQualifiedName(strings.ToLower(k))))
	}
	if err := apivalidation.ValidateAnnotationsSize(annotations); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func keyError(what, key string, problems []string) error {
	if reserved(key) {
		problems = append(problems, "the key is reserved for kontinue and the Job controller")
	}
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%s %q: %s", what, key, strings.Join(problems, "; "))
}

// reserved reports whether a key is one that kontinue writes, or that the API server
// generates for a Job's pods (batch.kubernetes.io/controller-uid and its like, with and
// without prefix): a Job that brings one is refused or adopted by another controller.
func reserved(key string) bool {
	k := strings.ToLower(key)
	return strings.HasPrefix(k, Prefix) || strings.HasPrefix(k, "batch.kubernetes.io/") ||
		k == "job-name" || k == "controller-uid" || k == LabelManagedBy
}
