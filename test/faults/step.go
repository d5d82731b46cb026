package faults

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// form is the call that a step makes.
type form string

const (
	script form = "script"
	pod    form = "pod"
	job    form = "job" // of three completions
)

// step is one step, whose name tells all of it: form, number, exit code and how
// long its containers run, in milliseconds.
type step struct {
	form   form
	number int
	code   int32
	takes  time.Duration
}

func (s step) name() string {
	return fmt.Sprintf("%s-%03d-exit%d-%dms", s.form, s.number, s.code, s.takes.Milliseconds())
}

// parseStep reads a name that step.name made.
func parseStep(name string) (s step, ok bool) {
	parts := strings.Split(name, "-")
	if len(parts) != 4 {
		return s, false
	}
	number, err1 := strconv.Atoi(parts[1])
	code, err2 := strconv.Atoi(strings.TrimPrefix(parts[2], "exit"))
	takes, err3 := strconv.Atoi(strings.TrimSuffix(parts[3], "ms"))
	if err1 != nil || err2 != nil || err3 != nil {
		return s, false
	}
	return step{form: form(parts[0]), number: number, code: int32(code), takes: time.Duration(takes) * time.Millisecond}, true
}

// drawStep makes the step of that number.
func drawStep(rnd *rand.Rand, number int) step {
	s := step{form: script, number: number, takes: time.Duration(rnd.IntN(3000)) * time.Millisecond}
	s.code = []int32{0, 0, 0, 1, 2, 3, 42, 137}[rnd.IntN(8)]
	switch rnd.IntN(10) {
	case 0:
		s.form, s.code = job, 0
	case 1, 2:
		s.form = pod
	}
	return s
}

// pods is how many the step's Job makes.
func (s step) pods() int {
	if s.form == job {
		return 3
	}
	return 1
}

// message is what its containers leave behind when they fail.
func (s step) message() string {
	if s.code == 0 {
		return ""
	}
	return "the end of " + s.name()
}

// Canary is in the environment and the arguments of every step, where values that
// nobody else may see use to be.
const Canary = "canary-5f2d9c"

// run makes the step's call and tells how its result differs from what it must
// be; "" is not at all.
func (s step) run(ktx *kontinue.ExecutionContext) (wrong string, err error) {
	options := kontinue.StepOptions{Name: s.name(), Timeout: 10 * time.Minute}
	spec := corev1.PodSpec{Containers: []corev1.Container{{
		Name: "main", Image: "busybox", Command: []string{"run"}, Args: []string{"--token=" + Canary},
		Env: []corev1.EnvVar{{Name: "PASSWORD", Value: Canary}},
	}}}
	switch s.form {
	case script:
		result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{StepOptions: options, Image: "busybox", Command: "run --token=" + Canary})
		if err != nil {
			return "", err
		}
		return s.checkPod(result), nil
	case pod:
		result, err := kontinue.RunPod(ktx, &kontinue.PodOptions{StepOptions: options, Spec: spec})
		if err != nil {
			return "", err
		}
		return s.checkPod(result), nil
	default:
		spec.RestartPolicy = corev1.RestartPolicyNever
		three := int32(3)
		result, err := kontinue.RunJob(ktx, &kontinue.JobOptions{StepOptions: options, Spec: batchv1.JobSpec{
			Completions: &three, Parallelism: &three, BackoffLimit: new(int32(0)), Template: corev1.PodTemplateSpec{Spec: spec},
		}})
		if err != nil {
			return "", err
		}
		if !result.Succeeded() || result.SucceededPods != 3 || result.FailedPods != 0 || len(result.Pods) != 3 {
			return fmt.Sprintf("%d pods succeeded, %d failed, %d told of: %s", result.SucceededPods, result.FailedPods, len(result.Pods), result.Message), nil
		}
		for _, p := range result.Pods {
			if wrong := s.checkPod(p); wrong != "" {
				return wrong, nil
			}
		}
		return "", nil
	}
}

func (s step) checkPod(r *kontinue.PodResult) string {
	if r.Pod == nil || len(r.Pod.Status.ContainerStatuses) != 1 || r.Pod.Status.ContainerStatuses[0].State.Terminated == nil {
		return fmt.Sprintf("no exit code: %s %s", r.Phase, r.Message)
	}
	end := r.Pod.Status.ContainerStatuses[0].State.Terminated
	phase := corev1.PodSucceeded
	if s.code != 0 {
		phase = corev1.PodFailed
	}
	if end.ExitCode != s.code || r.Succeeded() != (s.code == 0) || r.Phase != phase || end.Message != s.message() {
		return fmt.Sprintf("exit code %d, succeeded %t, phase %s, message %q", end.ExitCode, r.Succeeded(), r.Phase, end.Message)
	}
	return ""
}
