package kontinue

import (
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/kontinue/kontinue/pods"
)

// RunJob runs a Kubernetes Job in the Execution's namespace and waits for its
// end. The Job is owned by the Execution; a function that runs again after a
// crash finds it and goes on waiting, and on a retry the child policy decides
// whether it runs again. opts and what they refer to must not change until RunJob
// returns; several calls may share them.
//
// A Job that ran and failed is a result, with Succeeded() == false. An error
// means that there is no result: bad input ([ErrInvalid], before any request),
// a Job that could not be created, the end of the context or of the client
// ([ErrNotRunning]; the Job goes on), or an answer that is lost
// ([ErrJobDeleted]). errors.Is also finds [ErrNameConflict] and [ErrSpecDrift].
func RunJob(ktx *ExecutionContext, opts *JobOptions) (*JobResult, error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid("RunJob", err)
	}
	o, err := ktx.runStep(false, &opts.StepOptions, &opts.Spec, opts.ExtraLabels, opts.ExtraAnnotations)
	if err != nil {
		return nil, fmt.Errorf("kontinue: RunJob: %w", err)
	}
	return o.jobResult(), nil
}

// RunPod runs a pod once and waits for its end. It creates a Job with
// backoffLimit 0 and RestartPolicy Never, so exactly one pod is ever made. It
// is durable, shares opts and returns errors as [RunJob] does, and an [ErrPodLost]
// when the Job failed and its pod was gone before anything was known of it. A Job
// that completed has proved that every container exited with code 0, also without
// its pod, and one that ran into its deadline or was canceled while no worker
// was there is a failed result without exit codes; the result's Pod then has a
// status and no name.
func RunPod(ktx *ExecutionContext, opts *PodOptions) (*PodResult, error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid("RunPod", err)
	}
	return ktx.runPod("RunPod", opts)
}

// RunScript runs a command in a shell: a [RunPod] of one container, named
// "script", with the given image. The command reaches the shell unchanged;
// Kubernetes' own $(NAME) expansion does not touch it. A command that does not
// fit in one argument (128 KiB) is an [ErrInvalid].
func RunScript(ktx *ExecutionContext, opts *ScriptOptions) (*PodResult, error) {
	if err := checkCall(ktx, opts != nil); err != nil {
		return nil, invalid("RunScript", err)
	}
	pod, err := podOf(opts)
	if err != nil {
		return nil, invalid("RunScript", err)
	}
	return ktx.runPod("RunScript", pod)
}

// podOf is the pod that runs a script. See step for why it stands apart.
//
//go:noinline
func podOf(opts *ScriptOptions) (*PodOptions, error) {
	spec, err := pods.ScriptSpec(pods.Script{Image: opts.Image, Command: opts.Command, Shell: opts.Shell})
	if err != nil {
		return nil, err
	}
	return &PodOptions{
		StepOptions:      opts.StepOptions,
		Spec:             spec,
		ExtraAnnotations: opts.ExtraAnnotations,
		ExtraLabels:      opts.ExtraLabels,
	}, nil
}

// jobOf is the Job that runs a pod. See step for why it stands apart.
//
//go:noinline
func jobOf(opts *PodOptions) *batchv1.JobSpec {
	spec := pods.JobSpec(opts.Spec)
	return &spec
}

func (k *ExecutionContext) runPod(verb string, opts *PodOptions) (*PodResult, error) {
	o, err := k.runStep(true, &opts.StepOptions, jobOf(opts), opts.ExtraLabels, opts.ExtraAnnotations)
	if err != nil {
		return nil, fmt.Errorf("kontinue: %s: %w", verb, err)
	}
	r, err := o.soleResult()
	if err != nil {
		return nil, fmt.Errorf("kontinue: %s: %w", verb, err)
	}
	return r, nil
}

// checkCall refuses what could only end in a nil pointer later.
func checkCall(ktx *ExecutionContext, options bool) error {
	var errs []error
	if ktx == nil || ktx.client == nil {
		errs = append(errs, errNilExecution)
	}
	if !options {
		errs = append(errs, errNilOptions)
	}
	return errors.Join(errs...)
}
