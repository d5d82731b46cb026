package kontinue

import (
	"errors"
	"fmt"

	"github.com/kontinue/kontinue/logs"
	"github.com/kontinue/kontinue/pods"
)

// Logs returns the last lines of a container's log, or all of it. opts may be nil. When the
// pod or its logs are gone the error is an [ErrLogsGone]; after the pod was
// deleted they always are. If the pod was in another cluster it is an [ErrNoPods].
func (r *PodResult) Logs(ktx *ExecutionContext, opts *LogOptions) (string, error) {
	if !ktx.valid() {
		return "", invalid("Logs", errNilExecution)
	}
	if opts == nil {
		opts = &LogOptions{}
	}
	tail, err := opts.tail()
	if err != nil {
		return "", invalid("Logs", err)
	}
	if r.Pod == nil {
		return "", invalid("Logs", errors.New("the result has no pod"))
	}
	if err := r.noPods(); err != nil {
		return "", fmt.Errorf("kontinue: Logs: %w", err)
	}
	if r.Pod.Name == "" && r.outcome != nil {
		return "", fmt.Errorf("kontinue: %w: the pod of job %s/%s was gone before its name was known",
			ErrLogsGone, r.outcome.Namespace, r.outcome.Job)
	}
	container := opts.Container
	if container == "" {
		container = r.mainContainer()
	}
	ref := logs.Ref{Namespace: r.Pod.Namespace, Pod: r.Pod.Name, Container: container}
	text, err := ktx.run.Engine().Tail(ktx.run.Context(), ref, tail)
	if err != nil {
		var unknown *logs.Error
		if errors.As(err, &unknown) && errors.Is(err, logs.ErrContainerUnknown) {
			for _, c := range r.inspect().Containers {
				unknown.Containers = append(unknown.Containers, c.Name)
			}
		}
		return "", fmt.Errorf("kontinue: Logs: %w", err)
	}
	return text, nil
}

// mainContainer is the first container of those that the step submitted: a cluster may
// put others before it, such as the proxy of a mesh.
func (r *PodResult) mainContainer() string {
	for _, c := range r.inspect().Containers {
		if c.Kind == pods.KindMain && !c.Injected {
			return c.Name
		}
	}
	if r.Pod != nil && len(r.Pod.Spec.Containers) > 0 {
		return r.Pod.Spec.Containers[0].Name
	}
	return ""
}

// LogErrorSummary returns the last line of the log of the container that
// failed first, or of the step's first container when none failed. When the logs are
// gone it falls back to the end of the log that the kubelet left in the status
// of a failed container, if it did; otherwise the error is an [ErrLogsGone].
func (r *PodResult) LogErrorSummary(ktx *ExecutionContext) (string, error) {
	failed, ok := r.inspect().FirstFailure()
	text, err := r.Logs(ktx, &LogOptions{Container: failed.Name, TailLines: summaryLines})
	if err == nil {
		return logs.LastLine(text), nil
	}
	if last := logs.LastLine(failed.Message); ok && last != "" && errors.Is(err, ErrLogsGone) {
		return last, nil
	}
	return "", err
}

// summaryLines is how many lines are read to find the last one that is not blank.
const summaryLines = 20
