package simulate

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
)

const (
	// maxPodLists is how many LISTs of pods one client may have open at a time, besides
	// that of its informer.
	maxPodLists = 4 + 1
	// promptly is how long a result, or a Cancel, may take while creates are slow or
	// refused: a create that is under way, a pause, and the request itself.
	promptly = 10 * time.Second
)

// checkBounds is I8.
func checkBounds(f *facts, report reporter) {
	for _, p := range f.processes {
		if n := p.wire.maxLists["pods"]; n > maxPodLists {
			report(nil, "%s had %d LISTs of pods open at a time", p.plan.Name, n)
		}
	}
	switch f.Plan.Theme {
	case Undisturbed:
		f.checkRequests(report)
	case Load:
		f.checkPromptness(report)
	}
}

// checkRequests: an undisturbed step sends a create and a patch, and reads nothing.
func (f *facts) checkRequests(report reporter) {
	steps, logs := 0, 0
	for _, c := range f.calls {
		switch {
		case c.Worker != "w0":
		case c.Verb == "Logs":
			logs++
		case c.Step != "":
			steps++
		}
	}
	stats := f.server.Stats()
	for verb, want := range map[string]int{"create": steps, "patch": steps, "get": logs, "update": 0, "delete": 0} {
		if n := stats.Count("w0", verb, ""); n > want {
			report(nil, "%d %s requests for %d undisturbed steps and %d logs", n, verb, steps, logs)
		}
	}
	if n := stats.Count("w0", "list", ""); n > 2 {
		report(nil, "%d LISTs for %d undisturbed steps", n, steps)
	}
}

// checkPromptness: results and Cancel do not wait behind creates.
func (f *facts) checkPromptness(report reporter) {
	for _, r := range f.runs {
		over := r.first(ended)
		for _, p := range r.pods {
			if over == nil || p.stopped < over.RV {
				over = p.lastWrite()
			}
		}
		recorded := r.first(func(job *batchv1.Job) bool { _, ok := readRecord(job); return ok })
		if over == nil || recorded == nil || recorded.User != "w0" {
			continue
		}
		if d := recorded.Time.Sub(over.Time); d > promptly {
			report(r, "the result of %s was recorded %s after its end", r.step, d)
		}
	}
	for _, c := range f.calls {
		if d := c.End.Sub(c.Begin); c.Verb == "Cancel" && c.Returned && d > promptly {
			report(nil, "Cancel took %s", d)
		}
	}
}
