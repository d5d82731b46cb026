package kontinue

import (
	"errors"
	"fmt"

	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/pods"
)

// RunJob runs a Kubernetes Job in the Execution's namespace and waits for its
// end. The Job is owned by the Execution; a function that runs again after a
// crash finds it and resumes the wait, and on a retry the child policy decides
// whether it runs again. opts and what they refer to must not change until RunJob
// returns; several calls may share them. RunJob is [StartJob] and [Step.Wait].
//
// A Job that ran and failed is a result, with Succeeded() == false. An error
// means that there is no result: bad input ([ErrInvalid], before any request),
// a Job that could not be created, the end of the context or of the client
// ([ErrNotRunning]; the Job is still running), or a result that is lost
// ([ErrJobDeleted]). errors.Is also finds [ErrNameConflict] and [ErrSpecDrift].
func RunJob(ktx *ExecutionContext, opts *JobOptions) (*JobResult, error) {
	return run(startJob("RunJob", ktx, opts))
}

// RunPod runs a pod once and waits for its end. It creates a Job with
// backoffLimit 0 and RestartPolicy Never, so exactly one pod is ever made, unless
// [Retry] asks for more. It returns
// when the containers have ended, before the Job has its condition: see [Until].
// Durability and errors are as for [RunJob]. It also returns an [ErrPodLost] if the
// Job failed and its pod was deleted before its status was observed.
//
// A Job that completed proves that every container exited with code 0, also without
// its pod. One that ran into its deadline or was canceled while no worker was running
// is a failed result without exit codes; the result's Pod then has a status and no
// name.
func RunPod(ktx *ExecutionContext, opts *PodOptions) (*PodResult, error) {
	return run(startPod("RunPod", ktx, opts))
}

// RunScript runs a command in a shell: a [RunPod] of one container, named
// "script", with the given image. The command reaches the shell unchanged;
// Kubernetes' own $(NAME) expansion does not touch it. A command or files of more than
// 900 KiB are an [ErrInvalid].
func RunScript(ktx *ExecutionContext, opts *ScriptOptions) (*PodResult, error) {
	return run(startScript("RunScript", ktx, opts))
}

// run waits for a step that was started.
func run[R any](s *Step[R], err error) (R, error) {
	if err != nil {
		var none R
		return none, err
	}
	<-s.Done()
	return s.result()
}

func startJob(verb string, ktx *ExecutionContext, opts *JobOptions) (*Step[*JobResult], error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid(verb, err)
	}
	if opts.Until != UntilContainers && opts.Until != UntilJob {
		return nil, invalid(verb, fmt.Errorf("Until %d: a Job may have several pods, so its condition is waited for", opts.Until))
	}
	if opts.Retry.ReplaceDisrupted {
		return nil, invalid(verb, errReplaceDisrupted)
	}
	spec, err := jobStep(opts)
	if err != nil {
		return nil, invalid(verb, err)
	}
	return start(verb, ktx, spec, func(o *step.Outcome) (*JobResult, error) { return newJobResult(o), nil })
}

func startPod(verb string, ktx *ExecutionContext, opts *PodOptions) (*Step[*PodResult], error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid(verb, err)
	}
	spec, err := podStep(opts)
	if err != nil {
		return nil, invalid(verb, err)
	}
	return start(verb, ktx, spec, newSinglePodResult)
}

func startScript(verb string, ktx *ExecutionContext, opts *ScriptOptions) (*Step[*PodResult], error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid(verb, err)
	}
	spec, err := scriptStep(opts)
	if err != nil {
		return nil, invalid(verb, err)
	}
	return start(verb, ktx, spec, newSinglePodResult)
}

// start starts a step whose result convert makes.
func start[R any](verb string, ktx *ExecutionContext, spec *step.Spec, convert func(*step.Outcome) (R, error)) (*Step[R], error) {
	s, err := ktx.run.Start(spec)
	if err != nil {
		return nil, noResult(verb, err)
	}
	return &Step[R]{step: s, verb: verb, convert: convert}, nil
}

func newSpec(o *StepOptions) (*step.Spec, error) {
	if o.OnContextDone != Detach && o.OnContextDone != Cancel {
		return nil, fmt.Errorf("OnContextDone %d is unknown: want Detach or Cancel", o.OnContextDone)
	}
	return &step.Spec{
		Name: o.Name, DisplayName: o.DisplayName, Description: o.Description, Timeout: o.Timeout,
		Until: step.Until(o.Until), StartLimits: starts.Limits(o.StartLimits), Logs: o.Logs,
		CancelOnDone: o.OnContextDone == Cancel, Queue: o.Queue, Retry: o.Retry.step(),
	}, nil
}

// checkCall refuses a nil pointer.
func checkCall(ktx *ExecutionContext, options bool) error {
	var errs []error
	if !ktx.valid() {
		errs = append(errs, errNilExecution)
	}
	if !options {
		errs = append(errs, errNilOptions)
	}
	return errors.Join(errs...)
}

func newPodResult(o *step.Outcome, p pods.Outcome) *PodResult {
	return &PodResult{Pod: o.Object(p), Message: p.Explain(), Phase: p.Phase, Times: podTimes(o, p), LogReport: newLogReport(o, p.UID), pod: &p, outcome: o}
}

// newJobResult is what RunJob returns.
func newJobResult(o *step.Outcome) *JobResult {
	r := &JobResult{SucceededPods: o.SucceededPods, FailedPods: o.FailedPods, Times: jobTimes(o), outcome: o}
	for _, p := range o.Pods {
		r.Pods = append(r.Pods, newPodResult(o, p))
	}
	if r.Succeeded() {
		return r
	}
	r.Message = o.Explain()
	return r
}

// newSinglePodResult is what RunPod returns: the result of the Job's only pod.
func newSinglePodResult(o *step.Outcome) (*PodResult, error) {
	p, err := o.SinglePod()
	if err != nil {
		return nil, err
	}
	r := newPodResult(o, p)
	r.single = true
	r.Times.Created = o.Created
	if r.Succeeded() {
		r.Message = ""
	}
	switch {
	case o.GaveUp: // in words of its own
		r.Message = o.Text()
	case !o.Failed:
	case r.Message == "" || len(o.Pods) == 0:
		r.Message = o.Text()
	case o.Canceled || o.DeadlineExceeded():
		r.Message = o.Text() + ": " + r.Message
	}
	return r, nil
}
