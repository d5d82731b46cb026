package storm

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

// verb names the call that runs a step.
type verb string

const (
	runScript verb = "script"
	runPod    verb = "pod"
	runJob    verb = "job" // of three completions
)

// step is one step. Its name encodes all of it: verb, number, exit code, and how long
// its containers run in milliseconds.
type step struct {
	verb   verb
	number int
	code   int32
	takes  time.Duration
}

func (s step) name() string {
	return fmt.Sprintf("%s-%03d-exit%d-%dms", s.verb, s.number, s.code, s.takes.Milliseconds())
}

// parseStep parses a name returned by step.name.
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
	return step{verb: verb(parts[0]), number: number, code: int32(code), takes: time.Duration(takes) * time.Millisecond}, true
}

// drawStep draws a random step with a number.
func drawStep(rnd *rand.Rand, number int) step {
	s := step{verb: runScript, number: number, takes: time.Duration(rnd.IntN(3000)) * time.Millisecond}
	s.code = []int32{0, 0, 0, 1, 2, 3, 42, 137}[rnd.IntN(8)]
	switch rnd.IntN(10) {
	case 0:
		s.verb, s.code = runJob, 0
	case 1, 2:
		s.verb = runPod
	}
	return s
}

// pods returns the number of pods of the step's Job.
func (s step) pods() int {
	if s.verb == runJob {
		return 3
	}
	return 1
}

// message returns the termination message of the step's containers.
func (s step) message() string {
	if s.code == 0 {
		return ""
	}
	return s.name() + " failed"
}

// canary is in the environment and the arguments of every step, where secrets would
// be. It must not appear in a log, an error or a record.
const canary = "canary-5f2d9c"

// run runs the step. It describes how the result differs from the expected one, or
// returns "".
func (s step) run(ktx *kontinue.ExecutionContext) (wrong string, err error) {
	options := kontinue.StepOptions{Name: s.name(), Timeout: 10 * time.Minute}
	spec := corev1.PodSpec{Containers: []corev1.Container{{
		Name: "main", Image: "busybox", Command: []string{"run"}, Args: []string{"--token=" + canary},
		Env: []corev1.EnvVar{{Name: "PASSWORD", Value: canary}},
	}}}
	switch s.verb {
	case runScript:
		result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{StepOptions: options, Image: "busybox", Command: "run --token=" + canary})
		if err != nil {
			return "", err
		}
		return s.checkPod(result), nil
	case runPod:
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
			return fmt.Sprintf("%d pods succeeded, %d failed, %d returned: %s", result.SucceededPods, result.FailedPods, len(result.Pods), result.Message), nil
		}
		for _, p := range result.Pods {
			if wrong := s.checkPod(p); wrong != "" {
				return wrong, nil
			}
		}
		return "", nil
	}
}

// checkPod describes how the result of a pod differs from the expected one, or
// returns "".
func (s step) checkPod(r *kontinue.PodResult) string {
	if r.Pod == nil || len(r.Pod.Status.ContainerStatuses) != 1 || r.Pod.Status.ContainerStatuses[0].State.Terminated == nil {
		return fmt.Sprintf("no exit code: %s %s", r.Phase, r.Message)
	}
	container := r.Pod.Status.ContainerStatuses[0].State.Terminated
	phase := corev1.PodSucceeded
	if s.code != 0 {
		phase = corev1.PodFailed
	}
	if container.ExitCode != s.code || r.Succeeded() != (s.code == 0) || r.Phase != phase || container.Message != s.message() {
		return fmt.Sprintf("exit code %d, succeeded %t, phase %s, message %q", container.ExitCode, r.Succeeded(), r.Phase, container.Message)
	}
	return ""
}
