package scenarios

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/identity"
)

// Facts are the observations of a scenario on one backend. Except for Seconds they do
// not differ between runs.
type Facts struct {
	// Shows is the description of the scenario, and Lacks why it was not run.
	Shows string `json:"shows"`
	Lacks string `json:"lacks,omitempty"`
	// Returned is what the verb returned: the error, the message, or "success".
	Returned string `json:"returned,omitempty"`
	// Class, Reason and Advice are those of the result's ExitError.
	Class  kontinue.Class `json:"class,omitempty"`
	Reason string         `json:"reason,omitempty"`
	Advice string         `json:"advice,omitempty"`
	// Job has the conditions and counters of each Job at the end, and Pods the state
	// of each pod of the result.
	Job  []string `json:"job,omitempty"`
	Pods []string `json:"pods,omitempty"`
	// Events are the kinds of warning events of Jobs and pods.
	Events []string `json:"events,omitempty"`
	// Seconds is the duration of the step, which may be virtual time on the cluster in
	// memory.
	Seconds float64 `json:"seconds,omitempty"`

	failed bool  // the test did
	reason error // why, if it is known
}

// Record maps the names of scenarios to their Facts.
type Record map[string]Facts

// observe fills in the facts after the step has ended.
func (r *Run) observe(ctx context.Context, f *Facts) error {
	switch {
	case r.Err != nil:
		f.Returned = r.mask(r.Err.Error())
	case r.result().message != "":
		f.Returned = r.mask(r.result().message)
	default:
		f.Returned = "success"
	}
	var exit *kontinue.ExitError
	if r.Err == nil && errors.As(r.result().err, &exit) {
		f.Class, f.Reason, f.Advice = exit.Class, exit.Reason, exit.Advice
	}
	list, err := r.jobs(ctx)
	if err != nil {
		return err
	}
	if errors.Is(r.Err, kontinue.ErrJobDeleted) {
		list = nil // the Job may still be terminating
	}
	for _, job := range list {
		var words []string
		for _, c := range job.Status.Conditions {
			if c.Status == corev1.ConditionTrue {
				words = append(words, string(c.Type)+"/"+c.Reason)
			}
		}
		f.Job = append(f.Job, fmt.Sprintf("%s; succeeded %d, failed %d, active %d",
			strings.Join(words, ", "), job.Status.Succeeded, job.Status.Failed, job.Status.Active))
	}
	slices.Sort(f.Job) // the names of the runs are in no order
	if r.Err == nil {
		for _, p := range r.result().pods {
			f.Pods = append(f.Pods, describe(p.Pod))
		}
		slices.Sort(f.Pods)
	}
	f.Events, err = r.warnings(ctx)
	return err
}

// describe formats the status of a pod as one line.
func describe(p *corev1.Pod) string {
	words := []string{string(p.Status.Phase)}
	if p.Status.Reason != "" {
		words = append(words, "reason "+p.Status.Reason)
	}
	for _, c := range p.Status.Conditions {
		if c.Reason != "" && c.Status != corev1.ConditionTrue && c.Type == corev1.PodScheduled || c.Type == corev1.DisruptionTarget {
			words = append(words, string(c.Type)+"/"+c.Reason)
		}
	}
	for _, list := range [][]corev1.ContainerStatus{p.Status.InitContainerStatuses, p.Status.ContainerStatuses} {
		for _, s := range list {
			words = append(words, s.Name+" "+state(s.State))
		}
	}
	return strings.Join(words, "; ")
}

func state(s corev1.ContainerState) string {
	switch {
	case s.Terminated != nil:
		return fmt.Sprintf("%s %d", s.Terminated.Reason, s.Terminated.ExitCode)
	case s.Running != nil:
		return "running"
	case s.Waiting != nil:
		return "waiting " + s.Waiting.Reason
	}
	return "unknown"
}

// warnings lists the kinds of warnings in the namespace.
func (r *Run) warnings(ctx context.Context) ([]string, error) {
	list, err := r.Admin.CoreV1().Events(r.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range list.Items {
		// How a Job ended is also in its conditions, and warnings about DNS depend on the
		// cluster.
		ending := e.InvolvedObject.Kind == "Job" && e.Reason != "FailedCreate"
		if e.Type == corev1.EventTypeWarning && !ending && e.Reason != "MissingClusterDNS" {
			all = append(all, e.InvolvedObject.Kind+" "+e.Reason)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

var (
	podSuffix = regexp.MustCompile(`JOB(-\d+)?-[a-z0-9]{5}\b`)
	jobName   = regexp.MustCompile(`\b[a-z][a-z0-9-]*-[a-z2-7]{13}\b`)
	uid       = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	user      = regexp.MustCompile(`User "[^"]*"`)
	tries     = regexp.MustCompile(`\d+ tries in \S+:`)
	// The kubelet adds this if the pod's directory was removed before it read the log.
	unread  = regexp.MustCompile(`(: )?Error on reading termination message from logs: .*?: no such file or directory`)
	address = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+(:\d+)?`)
	moment  = regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
)

// mask replaces the parts of a text that differ between runs.
func (r *Run) mask(text string) string {
	text = strings.ReplaceAll(text, r.Namespace, "NAMESPACE")
	text = strings.ReplaceAll(text, r.cluster.Image(), "IMAGE")
	text = uid.ReplaceAllString(text, "UID")
	text = jobName.ReplaceAllString(text, "JOB")
	text = strings.ReplaceAll(text, identity.SecretName("JOB"), "SECRET")
	text = user.ReplaceAllString(text, `User "USER"`)
	text = podSuffix.ReplaceAllString(text, "POD")
	text = tries.ReplaceAllString(text, "N tries in T:")
	text = address.ReplaceAllString(text, "ADDRESS")
	text = moment.ReplaceAllString(text, "TIME")
	text = unread.ReplaceAllString(text, "")
	return strings.Join(strings.Fields(text), " ")
}

// dump formats the state of the cluster, for the log of a failed scenario.
func (r *Run) dump(ctx context.Context) string {
	var b strings.Builder
	fmt.Fprintf(&b, "reported:%s\n", reports(r.progress()))
	if list, err := r.jobs(ctx); err == nil {
		for _, job := range list {
			fmt.Fprintf(&b, "job %s: %+v\n", job.Name, job.Status)
		}
	}
	if list, err := r.Admin.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, pod := range list.Items {
			fmt.Fprintf(&b, "pod %s: %s\n", pod.Name, describe(&pod))
		}
	}
	if list, err := r.Admin.CoreV1().Events(r.Namespace).List(ctx, metav1.ListOptions{}); err == nil {
		for _, e := range list.Items {
			fmt.Fprintf(&b, "event %s %s: %s %s\n", e.InvolvedObject.Kind, e.InvolvedObject.Name, e.Reason, e.Message)
		}
	}
	return b.String()
}
