package simulate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue"
)

// checkResults is I3.
func checkResults(f *facts, report reporter) {
	type key struct {
		execution, attempt int
		step               string
	}
	first := map[key]*Call{}
	for _, c := range f.calls {
		if c.Result == nil {
			continue
		}
		r := f.resultOf(c)
		if r == nil && f.wasDeleted(c) {
			continue // it had ended, and there is nothing left to record it on
		}
		if r == nil {
			report(nil, "%s of %s by %s in attempt %d returned a result at %s, and no run of it has a record then", c.Verb, f.stepOf(c), c.Worker, c.Attempt, f.at(c.End))
			continue
		}
		f.compareWithStore(c, r, report)
		k := key{c.Execution, c.Attempt, c.Step}
		if other := first[k]; other == nil {
			first[k] = c
		} else if a, b := other.Result.digest(), c.Result.digest(); a != b && !f.lostBetween(other, c) {
			report(r, "two results of %s in attempt %d: %s by %s at %s, and %s by %s at %s", f.stepOf(c), c.Attempt, a, other.Worker, f.at(other.End), b, c.Worker, f.at(c.End))
		}
	}
}

// resultOf returns the run whose record a call has returned, or nil.
func (f *facts) resultOf(c *Call) (found *run) {
	for _, r := range f.of(c.Execution, c.Step) {
		if c.Result.Job != "" && c.Result.Job != r.name {
			continue
		}
		w := r.first(func(job *batchv1.Job) bool { _, ok := readRecord(job); return ok })
		if w == nil || w.RV > c.EndRV {
			continue
		}
		switch {
		case len(c.Result.Pods) == 0:
		case c.Result.Pods[0].UID == "":
			if c.Result.Err != "" && !strings.Contains(c.Result.Err, r.name) {
				continue // no pod was seen, and only the error says which run it is
			}
		default:
			if p := f.pods[types.UID(c.Result.Pods[0].UID)]; p == nil || p.job != r.uid {
				continue
			}
		}
		found = r
	}
	return found
}

// lostBetween reports whether others deleted a run of the step between two calls, so that
// the second one had to run it again, or removed what tells the runs apart; or whether a
// later attempt has run it: every earlier attempt takes its run then.
func (f *facts) lostBetween(a, b *Call) bool {
	end := max(a.EndRV, b.EndRV)
	for _, r := range f.of(a.Execution, a.Step) {
		if r.attempt > a.Attempt && r.begin < end {
			return true
		}
		if by := r.deletedBy(); by != nil && !isWorker(by.User) && by.RV < end || f.stripped(r) {
			return true
		}
	}
	return false
}

// compareWithStore compares a result with the Job and its pods.
func (f *facts) compareWithStore(c *Call, r *run, report reporter) {
	result := c.Result
	who := fmt.Sprintf("%s of %s by %s in attempt %d", c.Verb, f.stepOf(c), c.Worker, c.Attempt)
	job := r.last()
	condition, over := terminal(job)
	complete := over && condition.Type == batchv1.JobComplete
	if c.Verb == string(Job) {
		if result.Complete && !complete {
			report(r, "%s: Complete, and the Job is not", who)
		}
		if !result.Complete && complete {
			report(r, "%s: not Complete, and the Job is", who)
		}
		if at := r.at(c.EndRV); at != nil && over {
			if s, n := job.Status.Succeeded, job.Status.Failed; s != result.SucceededPods || n != result.FailedPods {
				report(r, "%s: %d pods succeeded and %d failed, and the Job says %d and %d", who, result.SucceededPods, result.FailedPods, s, n)
			}
		}
	} else {
		f.compareSinglePod(c, r, complete, report)
	}
	for _, end := range result.Pods {
		p := f.pods[types.UID(end.UID)]
		if end.UID == "" || p == nil {
			continue
		}
		codes := map[string]int32{}
		for _, w := range p.writes {
			if pod, ok := w.New.(*corev1.Pod); ok && w.RV <= c.EndRV {
				maps.Copy(codes, exitCodes(pod))
			}
		}
		for name, code := range end.Codes {
			if have, known := codes[name]; !known || have != code {
				report(r, "%s: container %s of pod %s exited with %d, and the store says %d (known: %t)", who, name, p.name, code, have, known)
			}
		}
	}
}

func (f *facts) compareSinglePod(c *Call, r *run, complete bool, report reporter) {
	succeeded, failed := false, false
	for _, p := range r.pods {
		for _, w := range p.writes {
			pod, ok := w.New.(*corev1.Pod)
			if !ok {
				continue
			}
			code, ran := exitCodes(pod)[f.container(c)]
			succeeded = succeeded || ran && code == 0
			failed = failed || ran && code != 0 || pod.Status.Phase == corev1.PodFailed
		}
	}
	condition, over := terminal(r.last())
	jobFailed := over && condition.Type == batchv1.JobFailed || held(r.last())
	switch {
	case c.Result.Succeeded && !complete && !succeeded:
		report(r, "%s of %s by %s succeeded, and neither the Job is Complete nor has its container exited with 0", c.Verb, f.stepOf(c), c.Worker)
	case !c.Result.Succeeded && complete:
		report(r, "%s of %s by %s did not succeed, and the Job is Complete", c.Verb, f.stepOf(c), c.Worker)
	case !c.Result.Succeeded && !failed && !jobFailed:
		report(r, "%s of %s by %s did not succeed, and neither its pod nor its Job has failed", c.Verb, f.stepOf(c), c.Worker)
	}
	if slices.ContainsFunc(c.Result.Causes, func(err error) bool { return errors.Is(err, kontinue.ErrCanceled) }) &&
		r.first(func(job *batchv1.Job) bool { return job.Annotations[canceledMark] == "true" }) == nil {
		report(r, "%s of %s by %s says that it was canceled, and it was not", c.Verb, f.stepOf(c), c.Worker)
	}
}

// container is the name of the container that a step submits.
func (f *facts) container(c *Call) string {
	if c.Verb == string(Script) {
		return "script"
	}
	return mainContainer
}

// exitCodes returns those of the containers that have ended for good.
func exitCodes(pod *corev1.Pod) map[string]int32 {
	codes := map[string]int32{}
	for _, all := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, c := range all {
			if c.State.Terminated != nil {
				codes[c.Name] = c.State.Terminated.ExitCode
			}
		}
	}
	return codes
}
