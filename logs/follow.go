package logs

import (
	"context"
	"errors"
	"hash/maphash"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Follow copies a container's log to w in whole lines, from the first line that
// the kubelet still has. It returns when the log of each run of the container was read to
// its end and the source says that no other follows, or when ctx is done. It sends
// requests for the log only, and none before the source says that the container has
// started.
//
// Follow reopens the log after an interrupted stream, after a minute without data, and
// after a transient error of the API server or the kubelet; between attempts without
// progress it backs off exponentially, up to about 10 seconds, and from the start again
// when the state of the container has changed. When the container has ended it reads the
// log again without following it, until that brings nothing new. Where the container was
// restarted, it reads the rest of the previous log first.
//
// Each Write gets one or more whole lines; a last line without a newline gets one. At
// most [Reader.MaxStreams] logs are open at a time. A container beyond that waits, and its
// log is read from its first line then. While w takes longer than 10 seconds for a Write,
// the log is closed and another one may be opened.
//
// The error wraps the error of w, or it is an [*Error]. That wraps the cause of ctx;
// [ErrGone] if the pod is gone or the kubelet has removed the log; [ErrNotStarted] if the
// source says that the container never started; [ErrContainerUnknown]; or any other
// response that a retry does not change, such as a 403. The report is valid for
// every error. Memory is bounded by [Reader.MaxLineBytes], whatever the length of
// the log.
func (r *Reader) Follow(ctx context.Context, ref Ref, source *Source, w io.Writer) (Report, error) {
	if err := ref.validate(); err != nil {
		return Report{}, err
	}
	f := &follower{r: r, ref: ref, source: source, out: w, seed: maphash.MakeSeed()}
	err := f.follow(ctx)
	return f.report, err
}

// follower is one Follow call.
type follower struct {
	r      *Reader
	ref    Ref
	source *Source
	out    io.Writer
	seed   maphash.Seed
	turn   turn
	cursor cursor
	report Report
	opened int

	partial uint64 // hash of the unfinished line at the end of the last stream
	batch   batch

	run     State // the newest run that was read
	next    int32 // the restart count of the run after it
	missing bool  // lines may be missing before the next one
	lost    error // why the end of that run's log cannot be read
}

var (
	errStillRunning = errors.New("the container was still running when its log was no longer followed")
	errDeleted      = errors.New("the pod was deleted before its log was read to the end")
)

// follow reads one run of the container after the other.
func (f *follower) follow(ctx context.Context) error {
	for {
		state, changed := f.source.get()
		switch {
		case !state.continues(f.run) && state.Gone:
			return &Error{Ref: f.ref, Kind: ErrGone, Err: errDeleted}
		case !state.continues(f.run):
			if err := f.readRun(ctx, state); err != nil {
				return err
			}
		case state.Over || state.Gone:
			return f.end()
		default:
			select {
			case <-changed.Done():
			case <-ctx.Done():
				return &Error{Ref: f.ref, Err: context.Cause(ctx)}
			}
		}
	}
}

// end reports on a log of which everything was read that could be.
func (f *follower) end() error {
	switch {
	case f.run.Started.IsZero():
		return &Error{Ref: f.ref, Kind: ErrNotStarted, Err: errors.New("its pod has ended")}
	case f.lost != nil:
		return f.lost
	case f.missing:
		f.report.addGap(Gap{After: f.cursor.newest})
	}
	f.report.Complete = len(f.report.Gaps) == 0
	return nil
}

// readRun reads the log of a run to its end, and before it that of the run before if that
// was not read. The kubelet keeps no more than these two.
func (f *follower) readRun(ctx context.Context, run State) error {
	defer f.turn.release()
	f.lost = nil
	if run.Restarts > f.next {
		f.missing = f.missing || run.Restarts-1 > f.next
		if err := f.read(ctx, State{Restarts: run.Restarts - 1}); err != nil {
			return err
		}
		f.cursor.nextRun()
		f.lost = nil
	}
	if err := f.read(ctx, run); err != nil {
		return err
	}
	f.cursor.nextRun()
	f.run, f.next = run, run.Restarts+1
	return nil
}

// read reads the log of a run to its end: it streams the log until the stream ends, and
// repeats. After the run has ended, it reads the log without following it, until that
// brings nothing new: a response ends like a complete one also when the API server has
// lost the kubelet.
func (f *follower) read(ctx context.Context, run State) error {
	for delay := f.r.backoff; ; {
		if err := f.turn.take(ctx, f.r, f.source); err != nil {
			return &Error{Ref: f.ref, Err: err}
		}
		state, changed := f.source.get()
		previous := !state.continues(run) // the next run has begun
		switch {
		case state.Gone:
			return &Error{Ref: f.ref, Kind: ErrGone, Err: errDeleted}
		case previous && (!state.Previous || state.Restarts != run.Restarts+1):
			f.missing = true
			return nil
		}
		follow := state.live() && !previous
		before, partial, opened := f.report.Lines, f.partial, time.Now()
		err := f.stream(ctx, changed, previous, follow)
		switch {
		case ctx.Err() != nil:
			return &Error{Ref: f.ref, Err: context.Cause(ctx)}
		case err == nil && !follow && (state.Running && !previous || f.report.Lines == before && f.partial == partial):
			return f.ended(state, previous)
		case err == nil && !follow:
			continue
		case errors.Is(err, ErrGone):
			f.lost, f.missing = err, true // a later run may have a log
			return nil
		case errors.Is(err, ErrNotStarted) && state.Over, err != nil && !isTransient(err):
			return err
		}
		// A stream that stayed open, even without data, was not a failure.
		if f.report.Lines > before || time.Since(opened) >= f.r.idle {
			delay = f.r.backoff
		}
		if err := pause(ctx, changed, delay.Step()); err != nil {
			return &Error{Ref: f.ref, Err: err}
		}
		// A container that has ended leaves little time to read its log.
		if changed.Err() != nil {
			delay = f.r.backoff
		}
	}
}

// ended is called when a log was read to its end.
func (f *follower) ended(state State, previous bool) error {
	if f.cursor.end() {
		f.missing = true
	}
	if state.Running && !previous {
		f.lost = &Error{Ref: f.ref, Err: errStillRunning}
	}
	return nil
}

// pause waits until the state has changed, or for d.
func pause(ctx, changed context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-changed.Done():
	case <-timer.C:
	}
	return nil
}

// isTransient reports whether reopening the log may succeed.
func isTransient(err error) bool {
	var w *writeError
	if errors.As(err, &w) || errors.Is(err, ErrGone) || errors.Is(err, ErrContainerUnknown) {
		return false
	}
	if errors.Is(err, ErrNotStarted) {
		return true
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) {
		code := status.Status().Code
		return code == 401 || code == 429 || code >= 500 // a token is renewed
	}
	return true // an error of the connection
}
