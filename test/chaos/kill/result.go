package kill

import (
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// Result is the result of a step in a worker process. It must be the same in every
// process of every worker.
type Result struct {
	Step      string
	Attempt   int
	Succeeded bool
	// Codes are the exit codes of the pods in the order of their indexes, and Phases
	// their phases.
	Codes   []int32
	Phases  []corev1.PodPhase
	Message string
	// Pods are the UIDs of the pods. A later result must not be that of other pods.
	Pods []string
	// Error is the error of the call. None is expected.
	Error string
	// Reattach is set in the only line of the worker that measures.
	Reattach *Reattach `json:",omitempty"`
}

// add adds a pod.
func (r *Result) add(p *kontinue.PodResult) {
	code := int32(-1)
	for _, c := range p.Pod.Status.ContainerStatuses {
		if c.State.Terminated != nil {
			code = c.State.Terminated.ExitCode
		}
	}
	r.Codes = append(r.Codes, code)
	r.Phases = append(r.Phases, p.Phase)
	r.Pods = append(r.Pods, string(p.Pod.UID))
	r.Message = strings.ReplaceAll(r.Message, p.Pod.Name, "POD")
}

func byIndex(pods []*kontinue.PodResult) []*kontinue.PodResult {
	return slices.SortedFunc(slices.Values(pods), func(a, b *kontinue.PodResult) int {
		return strings.Compare(index(a.Pod), index(b.Pod))
	})
}

func index(p *corev1.Pod) string { return p.Annotations[batchv1.JobCompletionIndexAnnotation] }

// expected returns the expected result of the step, without the UIDs.
func (s step) expected(policy kontinue.ChildPolicy, attempt int) Result {
	result := s.result(s.runs(policy, attempt) - 1)
	result.Attempt = attempt
	return result
}

// result returns the result of a run, without the attempt and the UIDs.
func (s step) result(run int) Result {
	code := s.code(run)
	result := Result{Step: s.name, Succeeded: code == 0}
	for i := range s.pods() {
		podCode, phase := int32(0), corev1.PodSucceeded
		if i == 0 && code != 0 {
			podCode, phase = code, corev1.PodFailed
		}
		result.Codes, result.Phases = append(result.Codes, podCode), append(result.Phases, phase)
	}
	if code == 0 {
		return result
	}
	container := "script"
	if s.indexes > 0 {
		container = "main"
	}
	result.Message = fmt.Sprintf("container %q failed: exit code %d: %s", container, code, termination(s.name, run))
	if s.indexes > 0 {
		result.Message = "FailedIndexes: Job has failed indexes (pod POD: " + result.Message + ")"
	}
	return result
}

// termination returns the termination message of a container that failed.
func termination(step string, run int) string {
	return fmt.Sprintf("run %d of %s failed", run, step)
}
