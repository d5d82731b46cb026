package kontinue

import (
	"context"
	"errors"
	"time"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/internal/flight"
	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/internal/step"
)

// recorder returns the recorder of Record, or nil.
func (c Config) recorder() *flight.Recorder {
	return flight.NewRecorder(c.Record, c.Logger, flight.Client{
		Namespace: c.Namespace, Namespaces: c.Namespaces, AllNamespaces: c.AllNamespaces, Group: c.Group,
		StartTimeout: c.StartTimeout, StopTimeout: c.StopTimeout, StartLimits: starts.Limits(c.StartLimits), PodTemplate: c.PodTemplate,
		MaxInFlight: c.MaxInFlight, MaxRunning: c.MaxRunning, MaxLogStreams: c.MaxLogStreams,
	})
}

// recording gets the steps of an engine.
type recording struct{ *flight.Recorder }

// End implements [step.Recorder].
func (r recording) End(e step.End) {
	end := newStepEnd(e)
	out := flight.End{State: string(end.State), Job: end.Job, Adopted: end.Adopted}
	if end.State == "" {
		r.Ended(e.ID, out, end.Err)
		return
	}
	out.Class, out.Reason, out.Pod, out.Container, out.ExitCode = causes.Class(end.Class), end.Reason, end.Pod, end.Container, end.ExitCode
	r.Ended(e.ID, out, nil)
}

// eventsTimeout bounds how long Stop waits for the Events that are not written yet.
const eventsTimeout = time.Second

// stop stops the engine, and writes what is left of the Events and of the recording.
func (c *Client) stop(ctx context.Context) error {
	began := time.Now()
	c.recorder.Stop()
	err := c.engine.Stop(ctx, c.cfg.StopTimeout)
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	c.stopEvents(ctx, c.cfg.StopTimeout-time.Since(began))
	ctx, cancel := context.WithTimeout(ctx, max(c.cfg.StopTimeout-time.Since(began), time.Second))
	defer cancel()
	return errors.Join(err, c.recorder.Flush(ctx))
}

func (c *Client) stopEvents(ctx context.Context, left time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, min(left, eventsTimeout))
	defer cancel()
	c.events.Stop(ctx)
}
