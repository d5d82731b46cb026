package simulate

import (
	"errors"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

const (
	mainContainer = "main"
	proxy         = "proxy" // that a mesh injects
)

// options are those that are common to every kind of step.
func (s *Step) options(unnamed bool) kontinue.StepOptions {
	o := kontinue.StepOptions{Name: s.Name, Timeout: s.Timeout, Retry: s.Again}
	if unnamed {
		o.Name = ""
	}
	return o
}

func (s *Step) podSpec() corev1.PodSpec {
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: mainContainer, Image: "example.org/tool:1"}}}
	if s.Grace > 0 {
		spec.TerminationGracePeriodSeconds = new(int64(s.Grace.Seconds()))
	}
	if s.Sidecar {
		spec.InitContainers = append(spec.InitContainers, corev1.Container{
			Name: "sidecar", Image: "example.org/sidecar:1", RestartPolicy: new(corev1.ContainerRestartPolicyAlways),
		})
	}
	if s.Init {
		spec.InitContainers = append(spec.InitContainers, corev1.Container{Name: "init", Image: "example.org/init:1"})
	}
	return spec
}

func (s *Step) jobSpec() batchv1.JobSpec {
	spec := batchv1.JobSpec{
		Completions: &s.Pods, Parallelism: &s.Pods, BackoffLimit: &s.Retries,
		Template: corev1.PodTemplateSpec{Spec: s.podSpec()},
	}
	if s.Indexed {
		spec.CompletionMode = new(batchv1.IndexedCompletion)
	}
	if s.OnFailure {
		spec.Template.Spec.RestartPolicy = corev1.RestartPolicyOnFailure
	}
	if s.TTL > 0 {
		spec.TTLSecondsAfterFinished = &s.TTL
	}
	return spec
}

// call runs the step. pod is what Logs can be read of; nil if there is none.
func (s *Step) call(ktx *kontinue.ExecutionContext, unnamed bool) (result *Result, pod *kontinue.PodResult, err error) {
	switch s.Kind {
	case Job:
		r, err := kontinue.RunJob(ktx, &kontinue.JobOptions{StepOptions: s.options(unnamed), Spec: s.jobSpec()})
		if err != nil {
			return nil, nil, err
		}
		result = newResult(r.Err(), r.Succeeded(), r.Pods...)
		result.Job, result.Complete, result.SucceededPods, result.FailedPods = r.Name(), r.Complete(), r.SucceededPods, r.FailedPods
		if len(r.Pods) > 0 {
			pod = r.Pods[0]
		}
		return result, pod, nil
	case Pod:
		pod, err = kontinue.RunPod(ktx, &kontinue.PodOptions{StepOptions: s.options(unnamed), Spec: s.podSpec()})
	default:
		pod, err = kontinue.RunScript(ktx, &kontinue.ScriptOptions{StepOptions: s.options(unnamed), Image: "example.org/tool:1", Command: "run " + s.Name})
	}
	if err != nil {
		return nil, nil, err
	}
	return newResult(pod.Err(), pod.Succeeded(), pod), pod, nil
}

func newResult(err error, succeeded bool, pods ...*kontinue.PodResult) *Result {
	r := &Result{Succeeded: succeeded}
	if err != nil {
		r.Err = err.Error()
	}
	var exit *kontinue.ExitError
	if errors.As(err, &exit) {
		r.Class = exit.Class
	}
	for _, cause := range []error{kontinue.ErrOOMKilled, kontinue.ErrDeadlineExceeded, kontinue.ErrCanceled} {
		if errors.Is(err, cause) {
			r.Causes = append(r.Causes, cause)
		}
	}
	for _, p := range pods {
		end := PodEnd{Name: p.Pod.Name, UID: string(p.Pod.UID), Codes: map[string]int32{}}
		for _, all := range [][]corev1.ContainerStatus{p.Pod.Status.InitContainerStatuses, p.Pod.Status.ContainerStatuses} {
			for _, c := range all {
				if t := c.State.Terminated; t != nil && !t.StartedAt.IsZero() && c.Name != proxy { // else it never ran
					end.Codes[c.Name] = t.ExitCode
				}
			}
		}
		r.Pods = append(r.Pods, end)
	}
	return r
}

// digest is what two workers of an attempt must agree on.
func (r *Result) digest() string {
	return fmt.Sprintf("succeeded=%t complete=%t pods=%d/%d %v err=%q class=%s", r.Succeeded, r.Complete, r.SucceededPods, r.FailedPods, r.Pods, r.Err, r.Class)
}
