package simulate

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// String returns the plan for people.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %s, faults end at %s, inject=%t ttl=%d\n", p.Seed, p.Theme, p.Calm, p.Inject, p.TTL)
	for _, e := range p.Executions {
		fmt.Fprintf(&b, "  %s: policy %s, TTL %s, parallel=%t unnamed=%t finish=%t\n", e.Name, e.Policy, e.TTL, e.Parallel, e.Unnamed, e.Finish)
		for _, s := range e.Steps {
			fmt.Fprintf(&b, "    %+v\n", s)
		}
	}
	for _, w := range p.Processes {
		fmt.Fprintf(&b, "  %+v\n", w)
	}
	for _, e := range p.Events {
		fmt.Fprintf(&b, "  %s\n", e)
	}
	return b.String()
}

// line is one line of a history.
type line struct {
	time time.Time
	rv   uint64
	text string
}

// Of returns the history of the step of a violation, for people; of all steps if it is
// about none.
func (h *History) Of(v Violation) string {
	var lines []line
	f := newFacts(h)
	for _, r := range f.runs {
		if v.about != nil && (r.execution != v.about.execution || r.step != v.about.step) {
			continue
		}
		for _, w := range r.writes {
			lines = append(lines, line{w.Time, w.RV, fmt.Sprintf("%s %s Job %s by %s: %s", w.Type, w.Resource, r.name, w.User, describeJob(w))})
		}
		for _, p := range r.pods {
			for _, w := range p.writes {
				lines = append(lines, line{w.Time, w.RV, fmt.Sprintf("%s %s %s by %s: %s", w.Type, w.Resource, p.name, w.User, describePod(w))})
			}
		}
	}
	for _, c := range h.calls {
		if v.about != nil && c.Step != "" && (c.Execution != v.about.execution || c.Step != v.about.step) {
			continue
		}
		who := fmt.Sprintf("%s of %s by %s in attempt %d", c.Verb, h.stepOf(c), c.Worker, c.Attempt)
		lines = append(lines, line{c.Begin, c.BeginRV, who + " begins"})
		if c.Returned {
			text := fmt.Sprintf("%s returns %v", who, c.Err)
			if c.Result != nil {
				text = who + " returns " + c.Result.digest()
			}
			lines = append(lines, line{c.End, c.EndRV, text})
		}
	}
	for _, n := range h.notes {
		lines = append(lines, line{n.Time, 0, "* " + n.Text})
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Or(a.time.Compare(b.time), cmp.Compare(a.rv, b.rv)) })
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%10s %5d %s\n", h.at(l.time), l.rv, l.text)
	}
	return b.String()
}

func describeJob(w apiserver.Write) string {
	job, ok := w.New.(*batchv1.Job)
	if !ok {
		return "gone"
	}
	s := fmt.Sprintf("active=%d succeeded=%d failed=%d", job.Status.Active, job.Status.Succeeded, job.Status.Failed)
	for _, c := range job.Status.Conditions {
		if c.Status == corev1.ConditionTrue {
			s += fmt.Sprintf(" %s(%s)", c.Type, c.Reason)
		}
	}
	if job.DeletionTimestamp != nil {
		s += " deleting"
	}
	if job.Spec.Suspend != nil && *job.Spec.Suspend {
		s += " suspended"
	}
	if job.Annotations[canceledMark] != "" {
		s += " canceled"
	}
	if job.Spec.TTLSecondsAfterFinished != nil {
		s += fmt.Sprintf(" ttl=%d", *job.Spec.TTLSecondsAfterFinished)
	}
	if text := job.Annotations[outcome]; text != "" {
		s += " record=" + text
	}
	if _, ok := job.Labels[recordedLabel]; ok {
		s += " recorded"
	}
	return s
}

func describePod(w apiserver.Write) string {
	pod, ok := w.New.(*corev1.Pod)
	if !ok {
		return "gone"
	}
	s := fmt.Sprintf("%s %v", pod.Status.Phase, exitCodes(pod))
	if pod.DeletionTimestamp != nil {
		s += " deleting"
	}
	if len(pod.Finalizers) == 0 {
		s += " counted"
	}
	return s
}
