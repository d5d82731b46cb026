package simulate

import (
	"time"

	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/fakecluster"
)

// controllerLag is how long the Job controller may take to see a Cancel.
const controllerLag = 2 * time.Second

// checkCancel is I6: Cancel reaches every Job that exists when it is called, and those
// whose create its own process had sent by then.
func checkCancel(f *facts, report reporter) {
	for _, c := range f.calls {
		if c.Verb != "Cancel" || !c.Returned || c.Err != nil || c.Dead {
			continue
		}
		for _, r := range f.runs {
			if r.execution != c.Execution || r.gone < c.BeginRV || f.stripped(r) {
				continue
			}
			if own := r.creator == c.Worker && r.begin > c.EndRV; own && !f.calledAfter(r, c) {
				report(r, "a create of %s took effect after its Cancel had returned at %s", c.Worker, f.at(c.End))
				continue
			}
			if r.begin > c.BeginRV {
				continue
			}
			for _, p := range r.pods {
				if p.createdAt.After(c.End.Add(controllerLag)) {
					report(r, "pod %s was created at %s, after Cancel had returned at %s", p.name, f.at(p.createdAt), f.at(c.End))
				}
			}
		}
	}
}

// calledAfter reports whether the creator of a run called its step after a Cancel.
func (f *facts) calledAfter(r *run, cancel *Call) bool {
	for _, c := range f.calls {
		if c.Worker == r.creator && c.Execution == r.execution && c.Step == r.step && c.Begin.After(cancel.Begin) {
			return true
		}
	}
	return false
}

// checkFinish is I7.
func checkFinish(f *facts, report reporter) {
	finished := map[int]*Call{}
	for _, c := range f.calls {
		if c.Verb != "Finish" || !c.Returned {
			continue
		}
		finished[c.Execution] = c
		if c.Err != nil {
			if !f.unlabeled(c.Execution) {
				report(nil, "Finish of %s: %v", f.Plan.Executions[c.Execution].Name, c.Err)
			}
			continue
		}
		for _, r := range f.runs {
			job := r.at(c.EndRV)
			if r.execution != c.Execution || job == nil || job.DeletionTimestamp != nil || f.stripped(r) {
				continue
			}
			ttl := int32(f.Plan.Executions[r.execution].TTL.Seconds())
			for _, s := range f.Plan.Executions[r.execution].Steps {
				if s.Name == r.step && s.TTL > 0 {
					ttl = s.TTL
				}
			}
			switch have := job.Spec.TTLSecondsAfterFinished; {
			case ttl > 0 && (have == nil || *have != ttl):
				report(r, "after Finish the TTL of %s is not %d", r.name, ttl)
			case ttl > 0 && r.gone == forever:
				report(r, "%s is still there after its TTL of %d s", r.name, ttl)
			}
		}
	}
	for _, r := range f.runs {
		by := r.deletedBy()
		if r.execution < 0 || by == nil || f.executions[r.execution].gone {
			continue
		}
		switch {
		case by.User == fakecluster.ControllerUser:
			if c := finished[r.execution]; (c == nil || by.RV < c.BeginRV) && f.Plan.TTL == 0 {
				report(r, "%s was removed by the cluster at %s, before Finish", r.name, f.at(by.Time))
			}
		case isWorker(by.User) && f.Plan.Executions[r.execution].Policy != "RetryAll":
			report(r, "%s was deleted by %s under policy %s", r.name, by.User, f.Plan.Executions[r.execution].Policy)
		}
	}
}

// unlabeled reports whether a run of the Execution has lost the label of its worker group,
// which makes it one of another group.
func (f *facts) unlabeled(execution int) bool {
	for _, r := range f.runs {
		if job := r.last(); r.execution == execution && job.Labels[groupLabel] == "" {
			return true
		}
	}
	return false
}

// checkForeign is I9: workers write only Jobs of their Executions, and nothing else.
func checkForeign(f *facts, report reporter) {
	for _, r := range f.runs {
		for _, w := range r.writes {
			if isWorker(w.User) && r.execution < 0 {
				report(r, "%s did %s %s %s, which is not its own", w.User, w.Verb, w.Resource, w.Name)
			}
		}
	}
	for _, p := range f.pods {
		for _, w := range p.writes {
			if isWorker(w.User) && (w.Type != watch.Deleted || w.Resource != "jobs") {
				report(nil, "%s did %s %s %s", w.User, w.Verb, w.Resource, w.Name)
			}
		}
	}
	for key, n := range f.server.Stats().Requests {
		if write := key.Verb != "get" && key.Verb != "list" && key.Verb != "watch"; write && isWorker(key.User) && key.Resource != "jobs" {
			report(nil, "%s sent %d %s requests for %s", key.User, n, key.Verb, key.Resource)
		}
	}
}
