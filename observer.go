package kontinue

import (
	"context"
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/kubeclient"
	"github.com/kontinue/kontinue/internal/step"
)

// Observer has the functions that a client calls with what its steps and requests do, for
// metrics, traces and terminals. Each may be nil. The calls come one at a time, in the
// order in which things happened, from a goroutine of the client: nothing waits for them,
// a panic is logged, and a function that is slower than the client makes a queue grow. The
// client's Stop waits for the calls within its timeout. The values are the function's own;
// what they point to must not be changed.
//
// ctx is that of the ExecutionContext, which may have ended.
type Observer struct {
	// TraceParent returns the trace context of a step, as a W3C traceparent, which becomes an
	// annotation of the Job that the step creates: StepInfo.TraceParent of a step that adopts
	// the Job later has it. It is called before StepBegan and, unlike the others, by the
	// function that starts the step, which waits for it; calls may overlap. "" is none.
	TraceParent func(ctx context.Context, s StepInfo) string
	// StepBegan is called for each step whose options are valid, before any request.
	StepBegan func(ctx context.Context, s StepInfo)
	// StepQueued is called when the step begins to wait for room: see Config.MaxRunning.
	StepQueued func(ctx context.Context, s StepInfo)
	// StepStarted is called each time that the step has a Job: one that it has created, or
	// one that existed, also with a recorded result. It is not called for a failure that was
	// recorded before the call and that [Retry] answers with a new Job.
	StepStarted func(ctx context.Context, s StepInfo)
	// StepEnded is called exactly once for each StepBegan: with a result, or without one if
	// the call failed or the wait has ended before the Job. [Step.Done] is closed then.
	StepEnded func(ctx context.Context, s StepEnd)
	// RequestDone is called for each request to the API server. It is known only of a client
	// that was made from Config.RESTConfig. A watch that is opened again is a further
	// request with the verb watch.
	RequestDone func(r RequestInfo)
}

// StepInfo is what an [Observer] gets to know of a step. There is nothing in it of the
// spec's env, args or command.
type StepInfo struct {
	// ID is unique among the steps of a client.
	ID uint64
	// Namespace is that of the Execution.
	Namespace string
	// Owner is the Execution's object.
	Owner metav1.OwnerReference
	// Attempt is Execution.Attempts.
	Attempt int
	// Step is the step's name and DisplayName its title, which may be empty.
	Step, DisplayName string
	// Job is the name of the step's newest Job, and empty before StepStarted.
	Job string
	// JobUID is the Job's UID.
	JobUID types.UID
	// Run is the Job's number among those of the step, from 0.
	Run int
	// Adopted reports whether the Job existed before this call.
	Adopted bool
	// Drift lists how an adopted Job differs from the options, as [JobResult.Drift] does. It
	// is also logged, at level Warn.
	Drift []string
	// Queued is how long the step has waited for room.
	Queued time.Duration
	// TraceParent is the W3C traceparent on the Job, of the step that created it; empty
	// without one.
	TraceParent string
	// At is when it happened, by the clock of this process.
	At time.Time
}

// StepEnd is the end of a step.
type StepEnd struct {
	StepInfo
	// State is StepSucceeded or StepFailed, as the Err of the result says, and empty
	// without a result.
	State StepState
	// Err is the error of a failed result, an [*ExitError], or why there is no result.
	Err error
	// Class is that of a failed result.
	Class Class
	// Reason is that of a failed result.
	Reason string
	// Pod is the name of the step's pod or, of a Job, of the one to blame for its failure.
	Pod string
	// PodUID is the pod's UID.
	PodUID types.UID
	// Container is what failed in the pod, as in [ExitError].
	Container string
	// ExitCode is the container's.
	ExitCode int32
	// Times are those of the pod in a [PodResult], and of the Job otherwise.
	Times Times
	// Woken is when the step ended, by the clock of the cluster as Times.Seen. It is zero
	// unless this call has seen the Job end. After Times.Ended come the time until this
	// process knew, that to record the result, and that to write the rest of the logs; and a
	// time in which no worker was running.
	Woken time.Time
}

// RequestInfo is a request to the API server, or a try of one.
type RequestInfo struct {
	// Verb and Resource are as in RBAC: get, list, watch, create, patch or delete, and
	// jobs, pods, pods/log or another one.
	Verb, Resource string
	// Code is the HTTP status of the response, and 0 if there was none.
	Code int
	// Duration is the time until the response began. The events of a watch and the lines of
	// a log follow.
	Duration time.Duration
}

// internal returns the observer of the engine.
func (o *Observer) internal() (in step.Observer) {
	if o == nil {
		return in
	}
	if f := o.TraceParent; f != nil {
		in.TraceParent = func(ctx context.Context, c step.Call) string { return f(ctx, newStepInfo(step.Start{Call: c})) }
	}
	if f := o.StepBegan; f != nil {
		in.Began = func(ctx context.Context, c step.Call) { f(ctx, newStepInfo(step.Start{Call: c})) }
	}
	if f := o.StepQueued; f != nil {
		in.Queued = func(ctx context.Context, c step.Call) { f(ctx, newStepInfo(step.Start{Call: c})) }
	}
	if f := o.StepStarted; f != nil {
		in.Started = func(ctx context.Context, s step.Start) { f(ctx, newStepInfo(s)) }
	}
	if f := o.StepEnded; f != nil {
		in.Ended = func(ctx context.Context, e step.End) { f(ctx, newStepEnd(e)) }
	}
	return in
}

// requests returns the function that observes the requests, or nil.
func (o *Observer) requests(n *step.Notices) func(context.Context, kubeclient.Request) {
	if o == nil || o.RequestDone == nil {
		return nil
	}
	return func(ctx context.Context, r kubeclient.Request) {
		n.PostFrom(ctx, func() { o.RequestDone(RequestInfo(r)) })
	}
}

func newStepInfo(s step.Start) StepInfo {
	x := s.Execution
	return StepInfo{
		ID: s.ID, Namespace: x.Namespace, Owner: x.Owner, Attempt: x.Attempt, Step: s.Step, DisplayName: s.DisplayName,
		Job: s.Job, JobUID: s.UID, Run: s.Run, Adopted: s.Adopted, Drift: s.Drift, Queued: s.Queued, TraceParent: s.TraceParent, At: s.At,
	}
}

func newStepEnd(e step.End) StepEnd {
	end := StepEnd{StepInfo: newStepInfo(e.Start), Woken: e.Woken}
	if e.Outcome == nil {
		end.Err = noResult("step", e.Err)
		return end
	}
	var pods []*PodResult
	if r, err := newSinglePodResult(e.Outcome); e.SinglePod && err == nil {
		pods, end.Times, end.Err = []*PodResult{r}, r.Times, r.Err()
	} else {
		r := newJobResult(e.Outcome)
		pods, end.Times, end.Err = r.Pods, r.Times, r.Err()
	}
	if end.State = StepSucceeded; end.Err != nil {
		end.State = StepFailed
	}
	var failure *ExitError
	if errors.As(end.Err, &failure) {
		end.Class, end.Reason = failure.Class, failure.Reason
		end.Pod, end.Container, end.ExitCode = failure.Pod, failure.Container, failure.ExitCode
	} else if e.SinglePod {
		end.Pod = pods[0].name()
	}
	for _, p := range pods {
		if end.Pod != "" && p.name() == end.Pod {
			end.PodUID = p.object().UID
		}
	}
	return end
}
