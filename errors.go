package kontinue

import (
	"errors"
	"fmt"

	"github.com/kontinue/kontinue/jobs"
	"github.com/kontinue/kontinue/logs"
)

// Errors to test for with errors.Is. Those that tell of a lost or impossible
// answer come from the three verbs; ErrOOMKilled, ErrDeadlineExceeded and
// ErrCanceled also describe a workload that ran and failed, through
// [JobResult.Err] and [PodResult.Err].
var (
	// ErrInvalid is bad input. No request was sent.
	ErrInvalid = jobs.ErrInvalid
	// ErrNotRunning means that the client is not started, or was stopped. Jobs
	// that were waited for go on.
	ErrNotRunning = errors.New("client is not running")
	// ErrNameConflict means that another object holds the step's Job name. It
	// was not touched.
	ErrNameConflict = jobs.ErrNameConflict
	// ErrSpecDrift means that an unnamed step found its Job made from another
	// spec: its ordinal may stand for another step of the function now.
	ErrSpecDrift = errors.New("job was created from another spec")
	// ErrJobDeleted means that the Job went away before it ended: deleted by
	// hand, with its owner or with its namespace. Its result is lost.
	ErrJobDeleted = jobs.ErrJobDeleted
	// ErrPodLost means that the Job ended and nothing is known of the pod that
	// it ran: RunPod has no exit codes to give.
	ErrPodLost = errors.New("pod is lost")
	// ErrLogsGone means that the logs are no longer there, for instance since
	// the pod was deleted.
	ErrLogsGone = logs.ErrGone
	// ErrOOMKilled means that a container was killed for want of memory,
	// whatever its exit code.
	ErrOOMKilled = errors.New("OOMKilled")
	// ErrDeadlineExceeded means that the Job ran into StepOptions.Timeout or
	// its activeDeadlineSeconds.
	ErrDeadlineExceeded = errors.New("deadline exceeded")
	// ErrCanceled means that [Client.Cancel] stopped the Job.
	ErrCanceled = errors.New("canceled")
)

var (
	errNilContext   = errors.New("the context is nil")
	errNilOptions   = errors.New("the options are nil")
	errNilExecution = errors.New("the ExecutionContext is nil or was not made by Client.NewExecutionContext")
)

// invalid wraps what is wrong with the input named by what.
func invalid(what string, err error) error {
	if errors.Is(err, ErrInvalid) {
		return fmt.Errorf("kontinue: %s: %w", what, err)
	}
	return fmt.Errorf("kontinue: %s: %w: %w", what, ErrInvalid, err)
}
