package logs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Report says what [Reader.Follow] delivered, and what it knows to be missing.
type Report struct {
	// Complete says that the container has ended, that its log was read to the
	// end after that, and that nothing delivered failed to come back when the log
	// was opened again: no line of the kubelet's current log file is missing or
	// doubled. What no client can see stays open: lines the kubelet had rotated
	// away before Follow came, and lines stamped by a clock that was set back.
	Complete bool
	// Lines and Bytes count what was written.
	Lines, Bytes int64
	// Truncated counts lines cut at [Reader.MaxLineBytes].
	Truncated int64
	// Reopened counts how often the log was opened again.
	Reopened int
	// Gaps are the places where lines may be missing (or doubled), the first
	// hundred of them. Usual causes are a rotated log file and a restarted
	// container.
	Gaps []Gap
}

// Gap is a stretch of a log in which lines may be missing. The times are the
// kubelet's stamps. Before is zero when nothing was delivered after the gap.
type Gap struct {
	// After and Before are the stamps of the lines around the gap.
	After, Before time.Time
}

const maxGaps = 100

// Follow copies a container's log to w, whole lines from the first the kubelet
// still has to the last one of an ended container, and returns when the
// container has ended and its log has been read to the end, or ctx is done.
//
// It waits for a container that has not started and rides out cut streams,
// silent streams (opened again after a minute) and a server that is away. The
// error is ctx's cause, w's error, or an [*Error]: [ErrGone] when the pod
// is gone or another pod has its name, [ErrNotStarted] when the pod ended on
// a node and the container never ran, [ErrContainerUnknown], or a refusal such as a 403.
// The report is valid with every error. Memory is bounded by
// [Reader.MaxLineBytes], whatever the log's length.
func (r *Reader) Follow(ctx context.Context, ref Ref, w io.Writer) (Report, error) {
	if err := ref.validate(); err != nil {
		return Report{}, err
	}
	f := &follower{r: r, ref: ref, out: w, seed: maphash.MakeSeed()}
	err := f.run(ctx)
	return f.report, err
}

// follower is one Follow call.
type follower struct {
	r      *Reader
	ref    Ref
	out    io.Writer
	seed   maphash.Seed
	cursor cursor
	report Report
	opened int
}

// run alternates: stream until the stream ends, look at the pod, stream again;
// once the container has ended, one read to the log's end settles it.
func (f *follower) run(ctx context.Context) error {
	delay := f.r.backoff
	for ended := false; ; {
		before, opened := f.report.Lines, time.Now()
		err := f.stream(ctx, !ended)
		switch {
		case ctx.Err() != nil:
			return &Error{Ref: f.ref, Err: context.Cause(ctx)}
		case err == nil && ended:
			if f.cursor.end() {
				f.gap(time.Time{})
			}
			f.report.Complete = len(f.report.Gaps) == 0
			return nil
		case err != nil && !passing(err):
			return err
		}
		if !ended {
			var stateErr error
			if ended, stateErr = f.ended(ctx); stateErr != nil {
				return stateErr
			}
			if ended && err == nil {
				continue // settle at once
			}
		} else if errors.Is(err, ErrNotStarted) {
			return err // the pod has ended: it never will
		}
		// A stream that lived, even a silent one, was not a failure.
		if f.report.Lines > before || time.Since(opened) >= f.r.idle {
			delay = f.r.backoff
		}
		if err := sleep(ctx, delay.Step()); err != nil {
			return &Error{Ref: f.ref, Err: err}
		}
	}
}

// stream opens the log and delivers its new lines until it ends: nil at a clean
// end, else what broke it.
func (f *follower) stream(ctx context.Context, follow bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	body, err := f.r.client.CoreV1().Pods(f.ref.Namespace).GetLogs(f.ref.Pod, &corev1.PodLogOptions{
		Container:  f.ref.Container,
		Follow:     follow,
		Timestamps: true,
		SinceTime:  f.cursor.since(),
	}).Stream(ctx)
	if err != nil {
		return f.r.explain(ctx, f.ref, err)
	}
	defer func() { _ = body.Close() }()
	if f.opened++; f.opened > 1 {
		f.report.Reopened++
	}
	f.cursor.reopen()

	idle := &idleReader{in: body, after: f.r.idle, timer: time.AfterFunc(f.r.idle, cancel)}
	defer idle.timer.Stop()
	lines := &lineReader{
		in:   bufio.NewReaderSize(idle, 32*1024),
		seed: f.seed,
		max:  positiveOr(f.r.MaxLineBytes, DefaultMaxLineBytes),
	}
	for {
		l, err := lines.next()
		if err == nil {
			if err := f.accept(l); err != nil {
				return err
			}
			continue
		}
		if !l.stamped {
			if kind := inBandError(string(l.text)); kind != nil {
				return &Error{Ref: f.ref, Kind: kind, Err: errors.New(string(l.text))}
			}
		}
		if !errors.Is(err, io.EOF) {
			return &Error{Ref: f.ref, Err: fmt.Errorf("the stream was cut: %w", err)}
		}
		// The rest of an unfinished line comes with the next opening; only the
		// settling read knows that there is none.
		if !follow && (len(l.text) > 0 || l.stamped) {
			return f.accept(l)
		}
		return nil
	}
}

// writeError is w's error, to be told from the log's.
type writeError struct{ err error }

func (e *writeError) Error() string { return "write log line: " + e.err.Error() }
func (e *writeError) Unwrap() error { return e.err }

func (f *follower) accept(l textLine) error {
	after := f.cursor.newest
	deliver, gap := f.cursor.accept(l.line)
	if gap {
		f.report.addGap(Gap{After: after, Before: l.at})
	}
	if !deliver {
		return nil
	}
	if l.ended {
		l.text = append(l.text, '\n')
	}
	n, err := f.out.Write(l.text)
	f.report.Bytes += int64(n)
	if err != nil {
		return &writeError{err}
	}
	f.report.Lines++
	if l.cut {
		f.report.Truncated++
	}
	return nil
}

func (f *follower) gap(before time.Time) {
	f.report.addGap(Gap{After: f.cursor.newest, Before: before})
}

func (r *Report) addGap(g Gap) {
	if len(r.Gaps) < maxGaps {
		r.Gaps = append(r.Gaps, g)
	}
}

// ended looks at the pod: true when the container has ended for good or will
// never start. A failure that may pass counts as "not yet".
func (f *follower) ended(ctx context.Context) (bool, error) {
	pod, err := f.r.client.CoreV1().Pods(f.ref.Namespace).Get(ctx, f.ref.Pod, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return false, &Error{Ref: f.ref, Kind: ErrGone, Err: err}
	case err != nil:
		e := &Error{Ref: f.ref, Err: err}
		if passing(e) {
			return false, nil
		}
		return false, e
	case f.ref.UID != "" && pod.UID != f.ref.UID:
		return false, &Error{Ref: f.ref, Kind: ErrGone,
			Err: fmt.Errorf("the pod of that name has UID %s, asked for was %s", pod.UID, f.ref.UID)}
	}
	return hasEnded(pod, f.ref.Container), nil
}

// hasEnded reports that the container will write no more: its pod has ended, or
// it has and is not to be started again.
func hasEnded(pod *corev1.Pod, name string) bool {
	if pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed {
		return true
	}
	if name == "" && len(pod.Spec.Containers) > 0 {
		name = pod.Spec.Containers[0].Name
	}
	policy := pod.Spec.RestartPolicy
	for _, c := range pod.Spec.InitContainers {
		if c.Name == name && c.RestartPolicy != nil {
			policy = corev1.RestartPolicy(*c.RestartPolicy)
		}
	}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, s := range list {
			if s.Name != name || s.State.Terminated == nil {
				continue
			}
			return policy == corev1.RestartPolicyNever ||
				(policy == corev1.RestartPolicyOnFailure && s.State.Terminated.ExitCode == 0)
		}
	}
	return false
}

// passing reports that opening the log again may work.
func passing(err error) bool {
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
		return code == 429 || code >= 500
	}
	return true // the connection's
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
