package step

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/logs"
)

const (
	// logsQuiet is how long a result waits for logs of which nothing is written, and
	// logsLimit how long it waits for them at most.
	logsQuiet = 10 * time.Second
	logsLimit = time.Minute
	// logsStop is how long the end of a step waits for a Write that is under way.
	logsStop = time.Second
)

var (
	errLogsLate   = errors.New("the rest of the log was not written within the time that a result waits for it")
	errLogsClosed = errors.New("the step has ended")
)

// stepLogs follows the logs of a step's containers and writes them to the step's writer.
// It learns of the containers from the events of the step's pods, and reads nothing but
// logs. Each container that has started has a goroutine, until its pod has ended or the
// step has.
type stepLogs struct {
	engine     *Engine
	containers []string // the names of those that were submitted
	only       string   // the name of the only one to follow; empty stands for all
	singlePod  bool
	writer     *logWriter
	ctx        context.Context // of the requests
	stop       context.CancelCauseFunc
	release    func() // of ctx

	running sync.WaitGroup // a follower each
	ended   chan struct{}  // closed when none is running any more: see wait

	mu    sync.Mutex
	pods  map[types.UID][]*follower // of the pods that were observed
	count int                       // followers
	over  bool                      // the step has ended
}

// follower follows the log of one container.
type follower struct {
	ref    logs.Ref
	prefix string // of each line
	source logs.Source
	written

	// Guarded by stepLogs.mu.
	state  logs.State
	report logs.Report
	err    error
	ended  bool // report and err are set
}

// newStepLogs returns followers that write to out, until ctx ends.
func (e *Engine) newStepLogs(ctx context.Context, out io.Writer, containers []string, singlePod bool) *stepLogs {
	l := &stepLogs{engine: e, containers: containers, singlePod: singlePod, pods: map[types.UID][]*follower{}}
	ctx, l.release = e.requestContext(ctx)
	l.ctx, l.stop = context.WithCancelCause(ctx)
	l.writer = &logWriter{out: out, ctx: l.ctx, failed: l.stop, logger: e.Logger, turn: make(chan struct{}, 1)}
	return l
}

// observeLogs follows the containers of a pod of the step. It is called in Future.Do.
func (w *wait) observeLogs(uid types.UID) {
	if len(w.logs) == 0 {
		return
	}
	if i := w.state.find(uid); i >= 0 {
		for _, l := range w.logs {
			l.observe(w.state.pods[i])
		}
	}
}

// observeAllLogs does so for all pods.
func (w *wait) observeAllLogs() {
	for _, l := range w.logs {
		for _, p := range w.state.pods {
			l.observe(p)
		}
	}
}

// observe takes note of a state of a pod. It does not block.
func (l *stepLogs) observe(p podState) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pod := p.Object()
	known := l.pods[p.UID]
	if known == nil {
		l.pods[p.UID] = nil // it was observed
	}
	for _, name := range l.names(pod) {
		state := logs.StateOf(pod, name)
		state.Gone = p.deleted
		i := slices.IndexFunc(known, func(f *follower) bool { return f.ref.Container == name })
		switch {
		case i >= 0:
			l.set(known[i], state)
		case !state.Started.IsZero() && !l.over:
			f := &follower{ref: logs.Ref{Namespace: p.Namespace, Pod: p.Name, Container: name}, prefix: l.prefix(p.Name, name)}
			l.set(f, state)
			l.pods[p.UID] = append(l.pods[p.UID], f)
			l.count++
			l.running.Go(func() { l.follow(f) })
		}
	}
}

// set passes a state on. A container that is still running when the step has ended is
// about to be reported as ended: the events of the Job and of its pods are not ordered.
func (l *stepLogs) set(f *follower, state logs.State) {
	state.Over = state.Over || l.over && !state.Running
	f.state = state
	f.source.Set(state)
}

// names returns those of the pod's containers that are to be followed and have a status:
// those that were submitted, or all if the Job was made from another spec.
func (l *stepLogs) names(pod *corev1.Pod) (submitted []string) {
	var all []string
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for i := range list {
			if l.only != "" && l.only != list[i].Name {
				continue
			}
			all = append(all, list[i].Name)
			if slices.Contains(l.containers, list[i].Name) {
				submitted = append(submitted, list[i].Name)
			}
		}
	}
	if submitted == nil {
		return all
	}
	return submitted
}

// prefix tells the lines of several pods or containers apart.
func (l *stepLogs) prefix(pod, container string) string {
	switch several := len(l.containers) > 1 && l.only == ""; {
	case l.singlePod && several:
		return container + ": "
	case l.singlePod:
		return ""
	case several:
		return pod + " " + container + ": "
	default:
		return pod + ": "
	}
}

// follow runs in the goroutine of a follower.
func (l *stepLogs) follow(f *follower) {
	report, err := l.engine.Logs.Follow(l.ctx, f.ref, &f.source, logOf{l.writer, f})
	if err != nil && l.ctx.Err() == nil {
		l.engine.Logger.WarnContext(l.ctx, "log of a container is not followed to its end",
			"namespace", f.ref.Namespace, "pod", f.ref.Pod, "container", f.ref.Container, "error", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f.report, f.err, f.ended = report, err, true
}

// finish is called when the step has ended. It waits until the logs are written to their
// ends, for as long as they make progress and within logsLimit, and reports on them by
// pod.
func (l *stepLogs) finish(ctx context.Context) map[types.UID]*PodLog {
	ended := l.wait()
	limit, quiet := time.NewTimer(logsLimit), time.NewTimer(logsQuiet)
	defer limit.Stop()
	defer quiet.Stop()
	for before, waiting := l.writer.total.Load(), true; waiting; {
		select {
		case <-quiet.C:
			now := l.writer.total.Load()
			waiting = now != before
			before = now
			quiet.Reset(logsQuiet)
			continue
		case <-ended:
		case <-limit.C:
		case <-ctx.Done():
		}
		waiting = false
	}
	l.close(errLogsLate)
	return l.reports()
}

// close stops the followers. It waits for them, but not for a Write that does not return:
// that follower ends with it, and nothing more is written.
func (l *stepLogs) close(cause error) {
	ended := l.wait()
	l.stop(cause)
	l.release()
	timer := time.NewTimer(logsStop)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// wait returns a channel that is closed when all followers have ended. None is started
// any more, and those whose containers have ended are waiting for nothing else. The
// engine waits for a follower that outlives its step.
func (l *stepLogs) wait() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return l.ended
	}
	l.over, l.ended = true, make(chan struct{})
	if l.count == 0 {
		close(l.ended)
		return l.ended
	}
	for _, followers := range l.pods {
		for _, f := range followers {
			l.set(f, f.state)
		}
	}
	l.engine.calls.Add(1)
	go func() {
		defer l.engine.calls.Done()
		defer close(l.ended)
		l.running.Wait()
	}()
	return l.ended
}
