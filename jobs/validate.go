package jobs

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/podtemplate"
)

// annotationRoom is reserved for the record, out of the 256 KiB that the API server
// allows for all annotations of a Job.
const annotationRoom = 32 << 10

// maxDeadline is the longest activeDeadlineSeconds. The API server takes any for a
// Job, but the Job controller multiplies it into a time.Duration, which overflows
// from 292 years on: the Job fails at once with DeadlineExceeded. This is the limit
// that the API server has for the field of the same name in a pod's spec.
const maxDeadline = math.MaxInt32

var tooLate = fmt.Sprintf("must not be more than %d seconds (68 years), beyond which the Job controller may overflow", int64(maxDeadline))

// Validate checks the request without a call to the API server. It reports all errors
// at once, with their field paths, in an error that is [ErrInvalid].
//
// It is stricter than the API server where kontinue could not wait for, adopt or clean
// up a Job that the API server accepts. The rest is left to the API server.
func (r *Request) Validate() error {
	if r == nil {
		return fmt.Errorf("%w: no request", ErrInvalid)
	}
	errs := r.validateIdentity()
	errs = append(errs, validateUser(field.NewPath("labels"), identity.ValidateUserLabels(r.Labels))...)
	errs = append(errs, r.validateQueue()...)
	errs = append(errs, validateUser(field.NewPath("annotations"), identity.ValidateUserAnnotations(r.Annotations))...)
	if size := annotationSize(r.Annotations) + len(r.DisplayName) + len(r.Description); size > apivalidation.TotalAnnotationSizeLimitB-annotationRoom {
		errs = append(errs, field.TooLong(field.NewPath("annotations"), nil, apivalidation.TotalAnnotationSizeLimitB-annotationRoom))
	}
	errs = append(errs, validateSpec(&r.Spec, r.Execution.Namespace, field.NewPath("spec"))...)
	if len(errs) == 0 {
		errs = r.validateMerged()
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInvalid, errs.ToAggregate())
}

// validateMerged checks what the base of the pod templates makes of the spec.
func (r *Request) validateMerged() field.ErrorList {
	if r.PodTemplate == nil {
		return nil
	}
	path := field.NewPath("podTemplate")
	if err := podtemplate.Validate(r.PodTemplate); err != nil {
		return validateUser(path, err)
	}
	merged, err := r.template()
	if err != nil {
		return validateUser(path, err)
	}
	spec := r.Spec
	spec.Template = *merged
	return validateSpec(&spec, r.Execution.Namespace, path.Child("merged"))
}

// validateQueue checks the queue as Kueue's webhook does, which may not be called.
func (r *Request) validateQueue() (errs field.ErrorList) {
	if r.Queue == "" {
		return nil
	}
	path := field.NewPath("queue")
	problems := append(validation.IsDNS1123Subdomain(r.Queue), validation.IsValidLabelValue(r.Queue)...)
	if len(problems) > 0 {
		errs = append(errs, field.Invalid(path, r.Queue, strings.Join(problems, "; ")))
	}
	if other, ok := r.Labels[identity.LabelQueue]; ok && other != r.Queue {
		errs = append(errs, field.Invalid(path, r.Queue, fmt.Sprintf("the label %s says %q", identity.LabelQueue, other)))
	}
	return errs
}

func (r *Request) validateIdentity() (errs field.ErrorList) {
	required := func(path, value string) bool {
		if value == "" {
			errs = append(errs, field.Required(field.NewPath(path), ""))
		}
		return value != ""
	}
	if required("namespace", r.Execution.Namespace) {
		for _, m := range validation.IsDNS1123Label(r.Execution.Namespace) {
			errs = append(errs, field.Invalid(field.NewPath("namespace"), r.Execution.Namespace, m))
		}
	}
	owner := r.Owner
	required("owner.apiVersion", owner.APIVersion)
	required("owner.kind", owner.Kind)
	if required("owner.name", owner.Name) && owner.Name != r.Execution.Name {
		errs = append(errs, field.Invalid(field.NewPath("owner.name"), owner.Name, "is not the Execution's name "+r.Execution.Name))
	}
	if required("owner.uid", string(owner.UID)) {
		if owner.UID != r.Execution.UID {
			errs = append(errs, field.Invalid(field.NewPath("owner.uid"), owner.UID, "is not the Execution's UID "+string(r.Execution.UID)))
		}
		for _, m := range validation.IsValidLabelValue(string(owner.UID)) {
			errs = append(errs, field.Invalid(field.NewPath("owner.uid"), owner.UID, "becomes a label: "+m))
		}
	}
	if err := identity.ValidateGroup(r.Group); err != nil {
		errs = append(errs, field.Invalid(field.NewPath("group"), r.Group, err.Error()))
	}
	if required("step", r.Step) {
		for _, m := range validation.IsValidLabelValue(r.Step) {
			errs = append(errs, field.Invalid(field.NewPath("step"), r.Step, m))
		}
	}
	errs = notNegative(errs, field.NewPath("run"), int64(r.Run))
	errs = notNegative(errs, field.NewPath("attempt"), int64(r.Attempt))
	switch timeout := field.NewPath("timeout"); {
	case r.Timeout < 0:
		errs = append(errs, field.Invalid(timeout, r.Timeout.Round(time.Millisecond).String(), "must not be negative"))
	case r.Timeout > maxDeadline*time.Second:
		errs = append(errs, field.Invalid(timeout, r.Timeout.Round(time.Second).String(), tooLate+"; zero means none"))
	}
	return errs
}

func validateSpec(s *batchv1.JobSpec, namespace string, path *field.Path) (errs field.ErrorList) {
	for _, f := range []struct {
		name  string
		value *int32
	}{
		{"parallelism", s.Parallelism}, {"completions", s.Completions}, {"backoffLimit", s.BackoffLimit},
		{"backoffLimitPerIndex", s.BackoffLimitPerIndex}, {"maxFailedIndexes", s.MaxFailedIndexes},
		{"ttlSecondsAfterFinished", s.TTLSecondsAfterFinished},
	} {
		if f.value != nil {
			errs = notNegative(errs, path.Child(f.name), int64(*f.value))
		}
	}
	if s.ActiveDeadlineSeconds != nil {
		deadline := path.Child("activeDeadlineSeconds")
		errs = notNegative(errs, deadline, *s.ActiveDeadlineSeconds)
		if *s.ActiveDeadlineSeconds > maxDeadline {
			errs = append(errs, field.Invalid(deadline, *s.ActiveDeadlineSeconds, tooLate+"; leave it out for none"))
		}
	}
	if s.Selector != nil {
		errs = append(errs, field.Forbidden(path.Child("selector"), "the API server generates it"))
	}
	if s.ManualSelector != nil && *s.ManualSelector {
		errs = append(errs, field.Forbidden(path.Child("manualSelector"), "pods are found by the generated selector"))
	}
	if s.CompletionMode != nil && *s.CompletionMode == batchv1.IndexedCompletion && s.Completions == nil {
		errs = append(errs, field.Required(path.Child("completions"), "when completionMode is Indexed"))
	}
	template := path.Child("template")
	meta := template.Child("metadata")
	if ns := s.Template.Namespace; ns != "" && ns != namespace {
		errs = append(errs, field.Invalid(meta.Child("namespace"), ns, "pods run in the Execution's namespace "+namespace))
	}
	errs = append(errs, validateUser(meta.Child("labels"), identity.ValidateUserLabels(s.Template.Labels))...)
	errs = append(errs, validateUser(meta.Child("annotations"), identity.ValidateUserAnnotations(s.Template.Annotations))...)
	pod := template.Child("spec")
	switch policy := s.Template.Spec.RestartPolicy; {
	case policy == corev1.RestartPolicyOnFailure && s.PodFailurePolicy != nil:
		errs = append(errs, field.Invalid(pod.Child("restartPolicy"), policy, "must be Never when podFailurePolicy is set"))
	case policy != "" && policy != corev1.RestartPolicyNever && policy != corev1.RestartPolicyOnFailure:
		errs = append(errs, field.NotSupported(pod.Child("restartPolicy"), policy,
			[]corev1.RestartPolicy{corev1.RestartPolicyNever, corev1.RestartPolicyOnFailure}))
	}
	return append(errs, validateContainers(&s.Template.Spec, pod)...)
}

func validateContainers(pod *corev1.PodSpec, path *field.Path) (errs field.ErrorList) {
	if len(pod.Containers) == 0 {
		errs = append(errs, field.Required(path.Child("containers"), "at least one container"))
	}
	seen := map[string]bool{}
	check := func(list []corev1.Container, path *field.Path) {
		for i, c := range list {
			name, image := path.Index(i).Child("name"), path.Index(i).Child("image")
			switch problems := validation.IsDNS1123Label(c.Name); {
			case c.Name == "":
				errs = append(errs, field.Required(name, ""))
			case len(problems) > 0:
				errs = append(errs, field.Invalid(name, c.Name, strings.Join(problems, "; ")))
			case seen[c.Name]:
				errs = append(errs, field.Duplicate(name, c.Name))
			}
			seen[c.Name] = true
			if strings.TrimSpace(c.Image) == "" {
				errs = append(errs, field.Required(image, ""))
			} else if strings.TrimSpace(c.Image) != c.Image {
				errs = append(errs, field.Invalid(image, c.Image, "must not have leading or trailing whitespace"))
			}
		}
	}
	check(pod.InitContainers, path.Child("initContainers"))
	check(pod.Containers, path.Child("containers"))
	return errs
}

func notNegative(errs field.ErrorList, path *field.Path, n int64) field.ErrorList {
	if n < 0 {
		return append(errs, field.Invalid(path, n, "must not be negative"))
	}
	return errs
}

// validateUser adds the path to the errors of a map of labels or annotations. It omits
// the values, since an annotation may contain anything.
func validateUser(path *field.Path, err error) field.ErrorList {
	if err == nil {
		return nil
	}
	faults := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		faults = joined.Unwrap()
	}
	var errs field.ErrorList
	for _, f := range faults {
		errs = append(errs, field.Invalid(path, field.OmitValueType{}, f.Error()))
	}
	return errs
}

func annotationSize(annotations map[string]string) int {
	n := 0
	for k, v := range annotations {
		n += len(k) + len(v)
	}
	return n
}
