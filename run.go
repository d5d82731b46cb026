package kontinue

import (
	"errors"
	"fmt"

	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/pods"
)

// RunJob runs a Kubernetes Job in the Execution's namespace and waits for its
// end. The Job is owned by the Execution; a function that runs again after a
// crash finds it and resumes the wait, and on a retry the child policy decides
// whether it runs again. opts and what they refer to must not change until RunJob
// returns; several calls may share them.
//
// A Job that ran and failed is a result, with Succeeded() == false. An error
// means that there is no result: bad input ([ErrInvalid], before any request),
// a Job that could not be created, the end of the context or of the client
// ([ErrNotRunning]; the Job is still running), or a result that is lost
// ([ErrJobDeleted]). errors.Is also finds [ErrNameConflict] and [ErrSpecDrift].
func RunJob(ktx *ExecutionContext, opts *JobOptions) (*JobResult, error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid("RunJob", err)
	}
	if opts.Until != UntilContainers && opts.Until != UntilJob {
		return nil, invalid("RunJob", fmt.Errorf("Until %d: a Job may have several pods, so RunJob waits for its condition", opts.Until))
	}
	o, err := ktx.run.Do(jobStep(opts))
	if err != nil {
		return nil, noResult("RunJob", err)
	}
	return newJobResult(o), nil
}

// RunPod runs a pod once and waits for its end. It creates a Job with
// backoffLimit 0 and RestartPolicy Never, so exactly one pod is ever made. It returns
// when the containers have ended, before the Job has its condition: see [Until].
// Durability and errors are as for [RunJob]. It also returns an [ErrPodLost] if the
// Job failed and its pod was deleted before its status was observed.
//
// A Job that completed proves that every container exited with code 0, also without
// its pod. One that ran into its deadline or was canceled while no worker was running
// is a failed result without exit codes; the result's Pod then has a status and no
// name.
func RunPod(ktx *ExecutionContext, opts *PodOptions) (*PodResult, error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid("RunPod", err)
	}
	return ktx.runPod("RunPod", podStep(opts))
}

// RunScript runs a command in a shell: a [RunPod] of one container, named
// "script", with the given image. The command reaches the shell unchanged;
// Kubernetes' own $(NAME) expansion does not touch it. A command that does not
// fit in one argument (128 KiB) is an [ErrInvalid].
func RunScript(ktx *ExecutionContext, opts *ScriptOptions) (*PodResult, error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid("RunScript", err)
	}
	spec, err := scriptStep(opts)
	if err != nil {
		return nil, invalid("RunScript", err)
	}
	return ktx.runPod("RunScript", spec)
}

func (k *ExecutionContext) runPod(verb string, spec *step.Spec) (*PodResult, error) {
	o, err := k.run.Do(spec)
	if err != nil {
		return nil, noResult(verb, err)
	}
	r, err := newSinglePodResult(o)
	if err != nil {
		return nil, noResult(verb, err)
	}
	return r, nil
}

// The three functions below must not be inlined: a spec in the frame of a function
// that is on the stack during the wait would be a part of each waiting step.

//go:noinline
func jobStep(opts *JobOptions) *step.Spec {
	s := newSpec(&opts.StepOptions)
	s.Job, s.Labels, s.Annotations = &opts.Spec, opts.ExtraLabels, opts.ExtraAnnotations
	return s
}

//go:noinline
func podStep(opts *PodOptions) *step.Spec {
	s := newSpec(&opts.StepOptions)
	job := pods.JobSpec(opts.Spec)
	s.Job, s.Labels, s.Annotations, s.SinglePod = &job, opts.ExtraLabels, opts.ExtraAnnotations, true
	s.Submitted = &opts.Spec
	return s
}

//go:noinline
func scriptStep(opts *ScriptOptions) (*step.Spec, error) {
	pod, err := pods.ScriptSpec(pods.Script{Image: opts.Image, Command: opts.Command, Shell: opts.Shell})
	if err != nil {
		return nil, err
	}
	s := podStep(&PodOptions{
		StepOptions:      opts.StepOptions,
		Spec:             pod,
		ExtraAnnotations: opts.ExtraAnnotations,
		ExtraLabels:      opts.ExtraLabels,
	})
	s.Submitted = submittedScript{Image: opts.Image, Command: opts.Command, Shell: opts.Shell}
	return s, nil
}

// submittedScript is what the hash of a script covers, by these names: fields are only
// added, and left out when they are not set.
type submittedScript struct {
	Image   string   `json:"image"`
	Command string   `json:"command"`
	Shell   []string `json:"shell,omitempty"`
}

func newSpec(o *StepOptions) *step.Spec {
	return &step.Spec{Name: o.Name, DisplayName: o.DisplayName, Description: o.Description, Timeout: o.Timeout, Until: step.Until(o.Until)}
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
	return &PodResult{Pod: o.Object(p), Message: p.Explain(), Phase: p.Phase, Times: podTimes(o, p), pod: &p, outcome: o}
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
	if o.Failed && (o.Canceled || o.DeadlineExceeded() || r.Message == "") {
		if r.Message == "" || len(o.Pods) == 0 {
			r.Message = o.Text()
		} else {
			r.Message = o.Text() + ": " + r.Message
		}
	}
	return r, nil
}
