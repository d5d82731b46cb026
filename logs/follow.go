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
)

// Report describes what [Reader.Follow] has delivered and where lines may be
// missing.
type Report struct {
	// Complete reports whether every line of the kubelet's current log file was
	// delivered exactly once: the container has ended, its log was then read to
	// the end, and no gap was found. A client cannot detect lines that the kubelet
	// rotated away before Follow started, nor lines with the timestamps of a clock
	// that was set back.
	Complete bool
	// Lines and Bytes count what was written.
	Lines, Bytes int64
	// Truncated counts the lines that were cut at [Reader.MaxLineBytes].
	Truncated int64
	// Reopened counts how often the log was reopened.
	Reopened int
	// Gaps lists the first 100 places where lines may be missing or duplicated.
	// The usual causes are a rotated log file and a restarted container.
	Gaps []Gap
}

// Gap is a part of a log in which lines may be missing.
type Gap struct {
	// After and Before are the kubelet's timestamps of the lines around the gap.
	// Before is zero if no line was delivered after the gap.
	After, Before time.Time
}

const maxGaps = 100

// Follow copies a container's log to w in whole lines, from the first line that
// the kubelet still has. It returns after the container has ended and its log was
// read to the end, or when ctx is done.
//
// Follow waits for a container that has not started. It reopens the log after an
// interrupted stream, after a minute without data, and after a transient error of
// the API server or the kubelet; between attempts without progress it backs off
// exponentially, up to about 10 seconds.
//
// The error wraps the error of w, or it is an [*Error]. That wraps the cause of ctx;
// [ErrGone] if the pod is gone or another pod has its name; [ErrNotStarted] if the
// pod ended before the container started; [ErrContainerUnknown]; or any other
// response that a retry does not change, such as a 403. The report is valid for
// every error. Memory is bounded by [Reader.MaxLineBytes], whatever the length of
// the log.
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

// run streams the log until the stream ends, reads the pod, and repeats. After the
// container has ended, it reads the log once more without following it, since the
// stream may have been interrupted before the last lines.
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
		case err != nil && !isTransient(err):
			return err
		}
		if !ended {
			var stateErr error
			if ended, stateErr = f.ended(ctx); stateErr != nil {
				return stateErr
			}
			if ended && err == nil {
				continue // read to the end without a delay
			}
		} else if errors.Is(err, ErrNotStarted) {
			return err // the pod has ended, so the container never starts
		}
		// A stream that stayed open, even without data, was not a failure.
		if f.report.Lines > before || time.Since(opened) >= f.r.idle {
			delay = f.r.backoff
		}
		if err := sleep(ctx, delay.Step()); err != nil {
			return &Error{Ref: f.ref, Err: err}
		}
	}
}

// stream opens the log and delivers its new lines until the stream ends. It
// returns nil after a clean end.
func (f *follower) stream(ctx context.Context, follow bool) error {
	body, err := f.r.open(ctx, f.ref, &corev1.PodLogOptions{
		Container:  f.ref.Container,
		Follow:     follow,
		Timestamps: true,
		SinceTime:  f.cursor.since(),
	})
	if err != nil {
		return f.r.readError(ctx, f.ref, err)
	}
	defer func() { _ = body.Close() }()
	if f.opened++; f.opened > 1 {
		f.report.Reopened++
	}
	f.cursor.reopen()

	lines := &lineReader{
		in:   bufio.NewReaderSize(body, 32*1024),
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
			return &Error{Ref: f.ref, Err: fmt.Errorf("the log stream was interrupted: %w", err)}
		}
		// The next stream returns an unfinished line whole. Only the last read
		// delivers it as it is.
		if !follow && (len(l.text) > 0 || l.stamped) {
			return f.accept(l)
		}
		return nil
	}
}

// writeError wraps an error of the writer, to distinguish it from those of the
// log.
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

// ended reads the pod and reports whether the container has ended for good or will
// never start. It returns false and no error after a transient failure.
func (f *follower) ended(ctx context.Context) (bool, error) {
	pod, err := f.r.pod(ctx, f.ref)
	switch {
	case apierrors.IsNotFound(err):
		return false, &Error{Ref: f.ref, Kind: ErrGone, Err: err}
	case err != nil:
		e := &Error{Ref: f.ref, Err: err}
		if isTransient(e) {
			return false, nil
		}
		return false, e
	case f.ref.UID != "" && pod.UID != f.ref.UID:
		return false, &Error{Ref: f.ref, Kind: ErrGone,
			Err: fmt.Errorf("the pod was replaced: its UID is %s, want %s", pod.UID, f.ref.UID)}
	}
	return hasEnded(pod, f.ref.Container), nil
}

// hasEnded reports whether the container writes no more output: its pod has ended,
// or the container has terminated and its restart policy keeps it from restarting.
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
		return code == 429 || code >= 500
	}
	return true // an error of the connection
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
