package podtemplate

import (
	"errors"
	"fmt"
	"reflect"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/identity"
)

// Validate returns an error that names everything that a base must not have, without the
// values of annotations and variables. A nil base is valid.
func Validate(base *corev1.PodTemplateSpec) error {
	if base == nil {
		return nil
	}
	var errs []error
	refuse := func(when bool, format string, args ...any) {
		if when {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	meta := base.ObjectMeta
	meta.Labels, meta.Annotations = nil, nil
	refuse(!reflect.ValueOf(meta).IsZero(), "metadata: only labels and annotations can be set, since each step names its pods")
	errs = append(errs, identity.ValidateUserLabels(base.Labels), identity.ValidateUserAnnotations(base.Annotations))
	spec := &base.Spec
	refuse(len(spec.InitContainers)+len(spec.EphemeralContainers) > 0, "spec: a template adds no init containers and no ephemeral containers")
	refuse(spec.RestartPolicy != "" && spec.RestartPolicy != corev1.RestartPolicyNever, "spec.restartPolicy %q: each step sets its own", spec.RestartPolicy)
	refuse(spec.ActiveDeadlineSeconds != nil, "spec.activeDeadlineSeconds: use StepOptions.Timeout")
	seen := 0
	for i := range spec.Containers {
		c := &spec.Containers[i]
		path := fmt.Sprintf("spec.containers[%d]", i)
		if c.Name != DefaultContainer {
			refuse(true, "%s: a template adds no containers: only one named %q, as the base of all, and not %q", path, DefaultContainer, c.Name)
			continue
		}
		seen++
		refuse(seen > 1, "%s: a second container named %q", path, DefaultContainer)
		refuse(len(c.Command)+len(c.Args) > 0, "%s: command and args are those of the step", path)
		refuse(c.RestartPolicy != nil || len(c.RestartPolicyRules) > 0, "%s: restartPolicy is that of the step", path)
	}
	return errors.Join(errs...)
}
