package kontinue

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/step"
)

// LogReport is what was written of the logs of a pod to StepOptions.Logs, and what may be
// missing.
type LogReport struct {
	// Complete reports whether all that the containers have written was written, and
	// nothing twice: the log of each run of each container was read to its end, without a
	// gap. A container that never started has no log. Not noticed are lines that the kubelet
	// had rotated away before the first one was read, and lines with the timestamps of a
	// clock that was set back.
	Complete bool
	// Lines and Bytes count what was written, prefixes included.
	Lines, Bytes int64
	// Truncated counts the lines of which only the first MiB was written.
	Truncated int64
	// Reopened counts how often a log was opened again: once at the end of each run, and
	// after each interruption.
	Reopened int
	// Gaps are the places where lines may be missing: the kubelet has rotated the file
	// away, or removed the container.
	Gaps []LogGap
	// Err is why a log was not followed to its end, or nil: the error of the writer, an
	// [ErrLogsGone], a missing right, or that the result did not wait any longer.
	Err error
}

// LogGap is a place in the log of a container where lines may be missing.
type LogGap struct {
	// Container is the container's name.
	Container string
	// After and Before are the kubelet's timestamps of the lines around it. After is zero
	// if there is none before it, and Before if there is none after it.
	After, Before time.Time
}

// newLogReport returns the report on a pod of a step, or nil if the step has none.
func newLogReport(o *step.Outcome, pod types.UID) *LogReport {
	if o.Logs == nil {
		return nil
	}
	l := o.Logs[pod]
	if err := o.NoPods(); err != nil && l == nil {
		return &LogReport{Err: err}
	}
	if l == nil {
		return &LogReport{Err: fmt.Errorf("%w: the pod was not observed", ErrLogsGone)}
	}
	r := &LogReport{
		Complete: l.Complete, Lines: l.Lines, Bytes: l.Bytes,
		Truncated: l.Truncated, Reopened: l.Reopened, Err: l.Err,
	}
	for _, g := range l.Gaps {
		r.Gaps = append(r.Gaps, LogGap(g))
	}
	return r
}

// logReportJSON is a LogReport whose error is a text.
type logReportJSON struct {
	plainLogReport
	Err string `json:",omitempty"`
}

type plainLogReport LogReport

// MarshalJSON returns the report as JSON, with the text of its error.
func (r LogReport) MarshalJSON() ([]byte, error) {
	out := logReportJSON{plainLogReport: plainLogReport(r)}
	if r.Err != nil {
		out.Err = r.Err.Error()
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what [LogReport.MarshalJSON] has written. Of the error only the text
// is left.
func (r *LogReport) UnmarshalJSON(data []byte) error {
	var in logReportJSON
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	*r = LogReport(in.plainLogReport)
	if in.Err != "" {
		r.Err = errors.New(in.Err)
	}
	return nil
}
