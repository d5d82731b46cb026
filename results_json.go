package kontinue

import (
	"encoding/json"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/pods"
)

// A result that a program has saved answers as it did before. Its fields have the JSON
// names that they would have without the methods below.

type jobResultJSON struct {
	SucceededPods, FailedPods int32
	Message                   string
	Pods                      []*PodResult
	Times                     Times
	Step                      *step.Outcome `json:",omitempty"`
}

type podResultJSON struct {
	Pod     *corev1.Pod
	Message string
	Phase   corev1.PodPhase
	Times   Times

	LogReport *LogReport    `json:",omitempty"`
	Outcome   *pods.Outcome `json:",omitempty"`
	Step      *step.Outcome `json:",omitempty"` // in the result of RunPod
}

// MarshalJSON returns the result as JSON from which [JobResult.UnmarshalJSON] makes one
// that answers as this one does, without the logs.
func (r JobResult) MarshalJSON() ([]byte, error) {
	out := jobResultJSON{SucceededPods: r.SucceededPods, FailedPods: r.FailedPods, Message: r.Message, Times: r.Times, Step: withoutPods(r.outcome)}
	for _, p := range r.Pods {
		one := *p
		one.single = false // its Job is that of the list
		out.Pods = append(out.Pods, &one)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what [JobResult.MarshalJSON] has written.
func (r *JobResult) UnmarshalJSON(data []byte) error {
	var in jobResultJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*r = JobResult{SucceededPods: in.SucceededPods, FailedPods: in.FailedPods, Message: in.Message, Pods: in.Pods, Times: in.Times, outcome: in.Step}
	for _, p := range r.Pods {
		if p != nil {
			p.outcome = in.Step
		}
	}
	return nil
}

// MarshalJSON returns the result as JSON from which [PodResult.UnmarshalJSON] makes one
// that answers as this one does, without the logs.
func (r PodResult) MarshalJSON() ([]byte, error) {
	out := podResultJSON{Pod: r.Pod, Message: r.Message, Phase: r.Phase, Times: r.Times, LogReport: r.LogReport, Outcome: r.pod}
	if r.single {
		out.Step = withoutPods(r.outcome)
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what [PodResult.MarshalJSON] has written.
func (r *PodResult) UnmarshalJSON(data []byte) error {
	var in podResultJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*r = PodResult{Pod: in.Pod, Message: in.Message, Phase: in.Phase, Times: in.Times, LogReport: in.LogReport, pod: in.Outcome, outcome: in.Step, single: in.Step != nil}
	return nil
}

// withoutPods returns a copy of what the result says of the Job.
func withoutPods(o *step.Outcome) *step.Outcome {
	if o == nil {
		return nil
	}
	job := *o
	job.Pods, job.Record.Pods = nil, nil
	return &job
}
