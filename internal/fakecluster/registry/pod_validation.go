package registry

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

func validatePodCreate(o Object) field.ErrorList {
	return validatePodSpec(&As[*corev1.Pod](o).Spec, field.NewPath("spec"))
}

// validatePodSpec checks what a Job's author is likely to get wrong; it is not
// the whole of pkg/apis/core/validation.
func validatePodSpec(spec *corev1.PodSpec, at *field.Path) field.ErrorList {
	var errs field.ErrorList
	if len(spec.Containers) == 0 {
		errs = append(errs, field.Required(at.Child("containers"), ""))
	}
	volumes, invalid := validateVolumes(spec.Volumes, at.Child("volumes"))
	errs = append(errs, invalid...)
	names := map[string]bool{}
	for i := range spec.Containers {
		c, p := &spec.Containers[i], at.Child("containers").Index(i)
		errs = append(errs, validateContainer(c, p, names, volumes)...)
		errs = append(errs, validateRestartPolicy(c, p)...)
	}
	for i := range spec.InitContainers {
		c, p := &spec.InitContainers[i], at.Child("initContainers").Index(i)
		errs = append(errs, validateContainer(c, p, names, volumes)...)
		if c.RestartPolicy == nil && len(c.RestartPolicyRules) > 0 {
			errs = append(errs, needsRestartPolicy(p))
			continue
		}
		errs = append(errs, validateRestartPolicy(c, p)...)
	}
	switch spec.RestartPolicy {
	case corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever:
	default:
		errs = append(errs, field.NotSupported(at.Child("restartPolicy"), spec.RestartPolicy,
			[]corev1.RestartPolicy{corev1.RestartPolicyAlways, corev1.RestartPolicyOnFailure, corev1.RestartPolicyNever}))
	}
	if spec.ServiceAccountName != "" {
		errs = append(errs, invalidIf(at.Child("serviceAccountName"), spec.ServiceAccountName, validation.IsDNS1123Subdomain(spec.ServiceAccountName))...)
	}
	if spec.NodeName != "" {
		errs = append(errs, invalidIf(at.Child("nodeName"), spec.NodeName, validation.IsDNS1123Subdomain(spec.NodeName))...)
	}
	if d := spec.ActiveDeadlineSeconds; d != nil && *d < 1 {
		errs = append(errs, field.Invalid(at.Child("activeDeadlineSeconds"), *d, validation.InclusiveRangeError(1, 1<<31-1)))
	}
	return errs
}

func validateContainer(c *corev1.Container, at *field.Path, names, volumes map[string]bool) field.ErrorList {
	var errs field.ErrorList
	switch {
	case c.Name == "":
		errs = append(errs, field.Required(at.Child("name"), ""))
	case names[c.Name]:
		errs = append(errs, field.Duplicate(at.Child("name"), c.Name))
	default:
		errs = append(errs, invalidIf(at.Child("name"), c.Name, validation.IsDNS1123Label(c.Name))...)
	}
	names[c.Name] = true
	if c.Image == "" {
		errs = append(errs, field.Required(at.Child("image"), ""))
	}
	switch c.ImagePullPolicy {
	case corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever:
	default:
		errs = append(errs, field.NotSupported(at.Child("imagePullPolicy"), c.ImagePullPolicy,
			[]corev1.PullPolicy{corev1.PullAlways, corev1.PullIfNotPresent, corev1.PullNever}))
	}
	switch c.TerminationMessagePolicy {
	case corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError:
	default:
		errs = append(errs, field.NotSupported(at.Child("terminationMessagePolicy"), c.TerminationMessagePolicy,
			[]corev1.TerminationMessagePolicy{corev1.TerminationMessageReadFile, corev1.TerminationMessageFallbackToLogsOnError}))
	}
	for i, e := range c.Env {
		p := at.Child("env").Index(i)
		if e.Name == "" {
			errs = append(errs, field.Required(p.Child("name"), ""))
		} else {
			errs = append(errs, invalidIf(p.Child("name"), e.Name, validation.IsRelaxedEnvVarName(e.Name))...)
		}
		if e.ValueFrom != nil && e.Value != "" {
			errs = append(errs, field.Invalid(p.Child("valueFrom"), "", "may not be specified when `value` is not empty"))
		}
	}
	errs = append(errs, validateMounts(c.VolumeMounts, volumes, at.Child("volumeMounts"))...)
	for name, request := range c.Resources.Requests {
		if limit, ok := c.Resources.Limits[name]; ok && request.Cmp(limit) > 0 {
			errs = append(errs, field.Invalid(at.Child("resources", "requests"), request.String(),
				fmt.Sprintf("must be less than or equal to %s limit of %s", name, limit.String())))
		}
	}
	return errs
}

func invalidIf(at *field.Path, value string, messages []string) field.ErrorList {
	var errs field.ErrorList
	for _, m := range messages {
		errs = append(errs, field.Invalid(at, value, m))
	}
	return errs
}

func validatePodUpdate(o, c Object, sub string) field.ErrorList {
	pod, cur := As[*corev1.Pod](o), As[*corev1.Pod](c)
	at := field.NewPath("spec")
	if sub == "status" {
		return validatePodStatus(pod, cur)
	}
	if pod.Generation == cur.Generation {
		return nil
	}
	errs := validatePodSpec(&pod.Spec, at)
	if len(pod.Spec.Containers) != len(cur.Spec.Containers) {
		return append(errs, field.Forbidden(at.Child("containers"), "pod updates may not add or remove containers"))
	}
	if len(pod.Spec.InitContainers) != len(cur.Spec.InitContainers) {
		return append(errs, field.Forbidden(at.Child("initContainers"), "pod updates may not add or remove containers"))
	}
	if now, old := pod.Spec.ActiveDeadlineSeconds, cur.Spec.ActiveDeadlineSeconds; now != nil && old != nil && *now > *old {
		return append(errs, field.Invalid(at.Child("activeDeadlineSeconds"), *now, "must be less than or equal to previous value"))
	}
	munged := pod.Spec.DeepCopy()
	for i := range munged.Containers {
		munged.Containers[i].Image = cur.Spec.Containers[i].Image
	}
	for i := range munged.InitContainers {
		munged.InitContainers[i].Image = cur.Spec.InitContainers[i].Image
	}
	if now, old := munged.ActiveDeadlineSeconds, cur.Spec.ActiveDeadlineSeconds; now != nil && (old == nil || *now <= *old) {
		munged.ActiveDeadlineSeconds = old
	}
	munged.Tolerations, munged.SchedulingGates = cur.Spec.Tolerations, cur.Spec.SchedulingGates
	if !apiequality.Semantic.DeepEqual(*munged, cur.Spec) {
		errs = append(errs, field.Forbidden(at, "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.terminationGracePeriodSeconds`,`spec.tolerations`,`spec.schedulingGates`"))
	}
	return errs
}

// validatePodStatus: a container that has ended for good stays terminated.
func validatePodStatus(pod, cur *corev1.Pod) field.ErrorList {
	spec := &cur.Spec
	if MayRestartAll(spec) {
		return nil
	}
	at := field.NewPath("status")
	return append(
		validateTransitions(pod.Status.ContainerStatuses, cur.Status.ContainerStatuses, spec.Containers, spec.RestartPolicy, at.Child("containerStatuses")),
		validateTransitions(pod.Status.InitContainerStatuses, cur.Status.InitContainerStatuses, spec.InitContainers, spec.RestartPolicy, at.Child("initContainerStatuses"))...)
}
