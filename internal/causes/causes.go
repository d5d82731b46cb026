package causes

import (
	"cmp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/plain"
	"github.com/kontinue/kontinue/pods"
)

// Cause is why a step failed, or a row of the table.
type Cause struct {
	// Reason is the CamelCase reason of a Job, a pod or a container. In the table a
	// trailing * stands for the rest of a word.
	Reason string
	// Says are words of which the message has to contain one. Most rows have none.
	Says []string
	// ExitCodes are those of which the container's has to be one. Most rows have none.
	ExitCodes []int32
	// Class is never empty.
	Class Class
	// Errors are what errors.Is finds, the row's own first. There are none of a program that
	// failed by itself.
	Errors []error
	// Advice is one line that says what to do, or empty.
	Advice string
}

// group are rows that differ in their reasons only, which are separated by spaces.
type group struct {
	reasons string
	says    []string
	exits   []int32
	class   Class
	errs    []error
	advice  string
}

var table = Table()

// Table returns the rows in the order in which they are tried: the first one that matches
// counts.
func Table() []Cause {
	var rows []Cause
	for _, g := range groups {
		for reason := range strings.FieldsSeq(g.reasons) {
			rows = append(rows, Cause{Reason: reason, Says: g.says, ExitCodes: g.exits, Class: g.class, Errors: g.errs, Advice: g.advice})
		}
	}
	return rows
}

// find returns a copy of the row of a reason, with the reason itself.
func find(reason, message string, exitCode int32) (Cause, bool) {
	i := slices.IndexFunc(table, func(c Cause) bool { return c.matches(reason, message, exitCode) })
	if i < 0 {
		return Cause{}, false
	}
	row := table[i]
	row.Reason, row.Errors = reason, slices.Clone(row.Errors)
	return row, true
}

func (c *Cause) matches(reason, message string, exitCode int32) bool {
	prefix, open := strings.CutSuffix(c.Reason, "*")
	if reason != c.Reason && !(open && strings.HasPrefix(reason, prefix)) {
		return false
	}
	says := func(words string) bool { return strings.Contains(message, words) }
	return (len(c.Says) == 0 || slices.ContainsFunc(c.Says, says)) &&
		(len(c.ExitCodes) == 0 || slices.Contains(c.ExitCodes, exitCode))
}

// Of returns why a Job failed of which o is the pod to blame, or why o failed, a pod of a
// Job that ended like this. o is the zero value where there is no pod to blame. The first of
// these counts:
//
//  1. a cancellation;
//  2. what the Job says by itself: its deadline, or why its pod could not start;
//  3. the pod: its reason or disruption, a deletion, the container that failed first, or the
//     one that cannot start;
//  4. what the Job says of its pods, such as BackoffLimitExceeded.
//
// The Errors of a Job's own cause include those of the pod, and a deadline that was over
// before the pod could start has the pod's Advice.
func Of(end pods.JobEnd, o pods.Outcome) Cause {
	pod, explained := ofPod(o)
	job, known := find(end.Reason, end.Message, 0)
	own := known && end.Failed && !end.DecidedByPods()
	switch {
	case end.GaveUp && !own:
		job, own = ofReason(silent), true
		job.Reason = end.Reason
	case end.Canceled && !end.GaveUp:
		job, own = ofReason(canceled), true
		job.Reason = end.Reason
	case !own && explained:
		pod.Reason = cmp.Or(pod.Reason, end.Reason)
		return pod
	case !own && !known:
		return Cause{Reason: cmp.Or(end.Reason, o.Cause()), Class: User}
	}
	if own && job.Class == Timeout && explained && unable(o) {
		job.Advice = pod.Advice
	}
	job.add(pod.Errors...)
	return job
}

// ofPod returns why a pod failed, and whether that is known.
func ofPod(o pods.Outcome) (c Cause, known bool) {
	c, known = ofStatus(o)
	if !known {
		c, known = ofContainers(o)
	}
	if !known {
		return Cause{}, false
	}
	c.Reason = o.Cause()
	if o.OOMKilled() {
		c.add(ErrOOMKilled)
	}
	return c, true
}

// ofStatus explains a pod by the reason of its status or of its disruption.
func ofStatus(o pods.Outcome) (Cause, bool) {
	message := lastLine(o.Message)
	for _, reason := range []string{o.Reason, o.Disrupted} {
		if c, ok := find(reason, message, 0); ok {
			return c, true
		}
	}
	switch {
	case o.Disrupted != "": // of a controller that is not Kubernetes' own
		return ofReason("EvictionByEvictionAPI"), true
	case o.Reason == "":
		return Cause{}, false
	case o.Phase == corev1.PodPending:
		return ofReason(corev1.PodReasonUnschedulable), true
	case !started(o):
		return ofReason("UnexpectedAdmissionError"), true
	}
	return Cause{Class: Infrastructure}, true
}

// ofContainers explains a pod by the container that failed first or cannot start, or by its
// deletion.
func ofContainers(o pods.Outcome) (Cause, bool) {
	first, failed := o.FirstFailure()
	waiting, stuck := o.Stuck()
	switch {
	case o.Stopped() && (failed && stopped(o, first) || !failed && !stuck), !failed && !stuck && o.Deleted && !o.Succeeded():
		return ofReason(deleted), true
	case failed && first.Injected:
		return ofReason(injected), true
	case !failed && !stuck && o.Phase == corev1.PodFailed:
		return Cause{Class: Infrastructure}, true // the kubelet stopped it, and does not say why
	case !failed && !stuck:
		return Cause{}, false
	}
	unknown := "Error"
	if !failed {
		first, unknown = waiting, "CreateContainerError"
	}
	c, ok := find(o.Cause(), lastLine(first.Message), first.ExitCode)
	if !ok {
		c = ofReason(unknown)
	}
	if first.Kind == pods.KindInit {
		c.add(ErrInitContainer)
	}
	return c, true
}

// stopped reports whether the end of a container of a pod that was deleted is that of the
// deletion. In the same second the program may also have failed by itself: the Job controller
// deletes a pod as soon as its restarts exceed backoffLimit.
func stopped(o pods.Outcome, c pods.ContainerOutcome) bool {
	const killed, terminated = 128 + 9, 128 + 15
	return !c.FinishedAt.Equal(o.StoppedAt) || c.ExitCode == killed || c.ExitCode == terminated || c.ExitCode == 0
}

// lastLine is the part of a message that counts: a record keeps that much of the pod that is
// to blame, whatever else it has no room for.
func lastLine(message string) string { return plain.LastLine(message, 1024) }

// unable reports whether it is known why no container of the pod has started.
func unable(o pods.Outcome) bool {
	_, stuck := o.Stuck()
	return !started(o) && (stuck || o.Reason != "")
}

// started reports whether a container of the pod has run.
func started(o pods.Outcome) bool {
	return slices.ContainsFunc(o.Containers, func(c pods.ContainerOutcome) bool { return !c.StartedAt.IsZero() || c.Restarts > 0 })
}

// ofReason returns a copy of the row of a reason that needs nothing else to match.
func ofReason(reason string) Cause {
	c, _ := find(reason, "", 0)
	return c
}

// add adds errors that are not there yet.
func (c *Cause) add(errs ...error) {
	for _, err := range errs {
		if !slices.Contains(c.Errors, err) {
			c.Errors = append(c.Errors, err)
		}
	}
}
