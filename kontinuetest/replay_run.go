package kontinuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/flight"
	"github.com/kontinue/kontinue/internal/step"
)

const (
	// afterLast is for how long steps may take to end after the last line.
	afterLast = 10 * time.Minute
	// maxDifferences bounds those that are kept: one may lead to thousands of others.
	maxDifferences = 100
	// maxLag is how much later in a replay something may happen than in the recording, and
	// maxLags that of all together: the pauses between two tries of a request are random.
	maxLag  = 2 * time.Minute
	maxLags = 10 * time.Minute
)

// replay plays a recording within a bubble. One goroutine plays the lines; between two of
// them it waits until all others sleep, so that what happens has one order.
type replay struct {
	t       *testing.T
	index   *fileIndex
	result  *Recording
	clients map[string]*replayedClient
	order   []*replayedClient

	mu    sync.Mutex
	lag   time.Duration
	more  int           // differences that are not kept
	over  bool          // nothing is noted any more
	open  int           // steps that have not ended
	ended chan struct{} // holds a token when a step has ended
}

// replayedClient is a client of the recording.
type replayedClient struct {
	*player
	kontinue *kontinue.Client
	started  chan struct{}           // closed when the last Start has returned
	giveUp   context.CancelCauseFunc // ends it
	startErr error
	calls    sync.WaitGroup
	runs     map[uint64]*step.Run
	steps    map[uint64]*replayedStep // by recorded ID
	byID     map[uint64]*replayedStep // by ID in the replay
	begun    *replayedStep            // the one that begins now
}

// replayedStep is a step of the recording.
type replayedStep struct {
	*RecordedStep
	cancel context.CancelCauseFunc
	handle *step.Step
	ended  chan struct{} // closed when it has
}

func newReplay(t *testing.T, index *fileIndex, result *Recording) *replay {
	r := &replay{t: t, index: index, result: result, clients: map[string]*replayedClient{}, ended: make(chan struct{}, 1)}
	if index.damaged > 0 {
		r.differf("%d lines of the recording cannot be read", index.damaged)
	}
	return r
}

// differf notes a difference.
func (r *replay) differf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.over:
	case len(r.result.Differences) < maxDifferences:
		r.result.Differences = append(r.result.Differences, fmt.Sprintf(format, args...))
	default:
		r.more++
	}
}

func (r *replay) run(file string) {
	_, err := eachLine(file, func(line *flight.Line) error {
		c := r.clients[line.ID]
		at := line.At
		switch {
		case c != nil:
			at -= c.now()
		case line.Kind == flight.KindClient:
			at = time.Until(line.Client.Begun)
		}
		if at > 0 {
			<-time.After(at)
		}
		synctest.Wait()
		return r.play(c, line)
	})
	synctest.Wait()
	r.awaitSteps()
	r.finish()
	require.NoError(r.t, err, "playing the recording")
}

// play does what a line says.
func (r *replay) play(c *replayedClient, line *flight.Line) error {
	switch line.Kind {
	case flight.KindClient:
		if c == nil {
			return r.newClient(line)
		}
	case flight.KindStart:
		c.start()
	case flight.KindStarted:
		if line.Error != nil && c.giveUp != nil { // its context may have ended
			c.giveUp(causeOf(line.Error))
		}
		r.await(c.started)
		if err := c.startErr; (err == nil) != (line.Error == nil) {
			r.differf("Start: recorded %s, in the replay %v", textOf(line.Error), err)
		}
	case flight.KindClock:
		if line.Clock != nil {
			c.engine.Clock.Observe(*line.Clock)
		}
	case flight.KindBegin:
		if line.Step == nil {
			return errors.New("a step that begins has no spec")
		}
		r.begin(c, line.StepID, line.Step)
	case flight.KindCanceled:
		if s := c.steps[line.StepID]; s != nil {
			s.cancel(causeOf(line.Error))
		}
	case flight.KindEnd:
		if s := c.steps[line.StepID]; s != nil && line.End != nil {
			r.await(s.ended)
			s.Recorded = recordedEnd(s.RecordedStep, line.End)
		}
	case flight.KindCall:
		if line.Execution != nil {
			c.calls.Go(func() { c.call(line.Call, *line.Execution) })
		}
	case flight.KindCancel:
		if s := c.steps[line.StepID]; s != nil && s.handle != nil {
			c.calls.Go(func() { _ = s.handle.Cancel(context.Background()) })
		}
	case flight.KindLost:
		r.differf("%d lines of the recording were not written by %s", line.Lost, line.At)
	case flight.KindStop:
		c.calls.Go(func() { _ = c.kontinue.Stop(context.Background()) })
	default:
		return c.play(line)
	}
	return nil
}

// newClient makes a client as it was recorded.
func (r *replay) newClient(line *flight.Line) error {
	was := line.Client
	c := &replayedClient{
		player: newPlayer(r.index.clients[line.ID], was, r.differf),
		runs:   map[uint64]*step.Run{}, steps: map[uint64]*replayedStep{}, byID: map[uint64]*replayedStep{},
	}
	client, err := kontinue.New(kontinue.Config{
		Clientset: c.player, SkipPreflight: true, SkipEvents: true, Namespace: was.Namespace, Namespaces: was.Namespaces, AllNamespaces: was.AllNamespaces, Group: was.Group,
		StartTimeout: was.StartTimeout, StopTimeout: was.StopTimeout, StartLimits: kontinue.StartLimits(was.StartLimits), PodTemplate: was.PodTemplate,
		MaxInFlight: was.MaxInFlight, MaxRunning: was.MaxRunning, MaxLogStreams: was.MaxLogStreams,
		Observer: &kontinue.Observer{
			StepBegan: func(_ context.Context, s kontinue.StepInfo) { r.began(c, s) },
			StepEnded: func(_ context.Context, e kontinue.StepEnd) { r.stepEnded(c, e) },
		},
	})
	if err != nil {
		return fmt.Errorf("the recorded client: %w", err)
	}
	c.kontinue = client
	r.clients[line.ID] = c
	r.order = append(r.order, c)
	return nil
}

// call calls a method of the client.
func (c *replayedClient) call(method string, x step.Execution) {
	execution := kontinue.Execution{Namespace: x.Namespace, Owner: x.Owner, Attempts: x.Attempt}
	switch method {
	case "Cancel":
		_ = c.kontinue.Cancel(context.Background(), execution)
	case "Finish":
		_ = c.kontinue.Finish(context.Background(), execution)
	case "Steps":
		_, _ = c.kontinue.Steps(context.Background(), execution)
	}
}

// start calls Start.
func (c *replayedClient) start() {
	started := make(chan struct{})
	var ctx context.Context
	ctx, c.giveUp = context.WithCancelCause(context.Background())
	c.started = started
	c.calls.Go(func() {
		defer close(started)
		c.startErr = c.kontinue.Start(ctx)
	})
}

// await waits for what had happened by now when it was recorded. What follows is played so
// much later.
func (r *replay) await(happened <-chan struct{}) {
	began, limit := time.Now(), min(maxLag, maxLags-r.lag)
	select {
	case <-happened:
	case <-time.After(limit):
	}
	lag := time.Since(began)
	r.lag += lag
	for _, c := range r.order {
		c.delay(lag)
	}
	synctest.Wait()
}

// awaitSteps waits until all steps have ended, or for afterLast.
func (r *replay) awaitSteps() {
	limit := time.After(afterLast)
	for {
		r.mu.Lock()
		open := r.open
		r.mu.Unlock()
		if open == 0 {
			return
		}
		select {
		case <-r.ended:
		case <-limit:
			return
		}
	}
}

// finish compares the steps and stops what is left.
func (r *replay) finish() {
	synctest.Wait()
	for _, c := range r.order {
		for _, s := range c.steps {
			s.giveUp()
		}
	}
	for _, s := range r.result.Steps {
		if text := s.difference(); text != "" {
			r.differf("step %s: %s", s.Step, text)
		}
	}
	r.mu.Lock()
	if r.over = true; r.more > 0 {
		r.result.Differences = append(r.result.Differences, fmt.Sprintf("and %d more", r.more))
	}
	r.mu.Unlock()
	for _, c := range r.order {
		for _, s := range c.steps {
			s.cancel(nil)
		}
		if c.giveUp != nil {
			c.giveUp(nil)
		}
		_ = c.kontinue.Stop(context.Background())
		c.calls.Wait()
	}
}

// spec is what a recorded step runs.
func spec(s *flight.Step) *step.Spec {
	out := &step.Spec{
		Name: s.Name, Hash: s.Hash, Job: s.Job, SinglePod: s.SinglePod, Until: s.Until, Timeout: s.Timeout,
		StartLimits: s.StartLimits, Retry: s.Retry, Queue: s.Queue, Labels: s.Labels, Annotations: s.Annotations,
		SecretVolume: s.SecretVolume, CancelOnDone: s.CancelOnDone,
	}
	if s.Unnamed {
		out.Name = ""
	}
	for _, key := range s.SecretKeys {
		if out.SecretData == nil {
			out.SecretData = map[string][]byte{}
		}
		out.SecretData[key] = nil
	}
	return out
}
