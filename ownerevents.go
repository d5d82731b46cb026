package kontinue

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/kontinue/kontinue/internal/events"
	"github.com/kontinue/kontinue/internal/step"
)

// withEvents returns an observer that also writes Events about the owners of steps.
func withEvents(o step.Observer, w *events.Writer) step.Observer {
	started, ended := o.Started, o.Ended
	o.Started = func(ctx context.Context, s step.Start) {
		if started != nil {
			started(ctx, s)
		}
		switch {
		case !s.Adopted:
			w.Write(note(s, "StepStarted", "Start", fmt.Sprintf("Step %s: created Job %s", s.Step, s.Job)))
		case len(s.Drift) > 0:
			n := note(s, "StepDrifted", "Adopt", fmt.Sprintf("Step %s: Job %s was made from another spec: %s", s.Step, s.Job, strings.Join(s.Drift, ", ")))
			n.Warning = true
			w.Write(n)
		}
	}
	o.Ended = func(ctx context.Context, e step.End) {
		if ended != nil {
			ended(ctx, e)
		}
		var failure *ExitError
		if e.Outcome == nil || e.Outcome.Known || !errors.As(newStepEnd(e).Err, &failure) {
			return
		}
		n := note(e.Start, "StepFailed", "Wait", "Step "+e.Step+": "+failure.summary())
		n.Warning = true
		switch {
		case e.Outcome.GaveUp:
			n.Reason, n.Action = "StepGivenUp", "GiveUp"
		case e.Outcome.Canceled:
			n.Reason, n.Action, n.Warning = "StepCanceled", "Cancel", false
		}
		w.Write(n)
	}
	return o
}

func note(s step.Start, reason, action, message string) events.Note {
	x := s.Execution
	return events.Note{
		Namespace: x.Namespace, Owner: x.Owner, Job: s.Job, JobUID: s.UID, Reason: reason, Action: action, Message: message,
	}
}

// summary returns the error without its message, which may quote the log of a container.
func (e *ExitError) summary() string {
	bare := *e
	bare.Message = ""
	text := bare.Error()
	if e.Advice != "" {
		text += ": " + e.Advice
	}
	return text
}
