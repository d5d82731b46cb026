package scenarios

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// result has the common parts of a JobResult and a PodResult.
type result struct {
	job       *kontinue.JobResult
	pods      []*kontinue.PodResult
	succeeded bool
	resumed   bool
	message   string
	err       error
}

func newResult(job *kontinue.JobResult, pod *kontinue.PodResult) result {
	if job != nil {
		return result{job: job, pods: job.Pods, succeeded: job.Succeeded(), resumed: job.Resumed(), message: job.Message, err: job.Err()}
	}
	return result{pods: []*kontinue.PodResult{pod}, succeeded: pod.Succeeded(), resumed: pod.Resumed(), message: pod.Message, err: pod.Err()}
}

func (r *Run) result() result { return newResult(r.Job, r.Pod) }

// text formats the parts of a result that must be equal after a resume.
func (r result) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "succeeded: %t\nmessage: %s\nerror: %v\n", r.succeeded, r.message, r.err)
	if r.job != nil {
		fmt.Fprintf(&b, "complete: %t, %d succeeded, %d failed\n", r.job.Complete(), r.job.SucceededPods, r.job.FailedPods)
	}
	lines := make([]string, 0, len(r.pods))
	for _, p := range r.pods {
		lines = append(lines, fmt.Sprintf("pod %s: %s, succeeded: %t, message: %s, error: %v\n", p.Pod.Name, p.Phase, p.Succeeded(), p.Message, p.Err()))
	}
	slices.Sort(lines) // the order of pods from the same second is undefined
	b.WriteString(strings.Join(lines, ""))
	return b.String()
}

// check compares the result or error of the verb with Want.
func (r *Run) check() []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	w := &r.Want
	switch {
	case w.isError() && r.Err == nil:
		fail("the verb returned a result and no error:\n%s", r.result().text())
		return errs
	case w.isError():
		if w.Err != nil && !errors.Is(r.Err, w.Err) {
			fail("error %v is not %q", r.Err, w.Err)
		}
		errs = append(errs, contains("the error", r.Err.Error(), w.ErrText)...)
	case r.Err != nil:
		fail("the verb returned an error: %w", r.Err)
		return errs
	default:
		errs = append(errs, w.checkResult(r.result())...)
	}
	return append(errs, w.checkReports(r.progress())...)
}

func (w *Want) checkResult(got result) []error {
	var errs []error
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if got.succeeded != w.Succeeded {
		fail("Succeeded() is %t, want %t:\n%s", got.succeeded, w.Succeeded, got.text())
	}
	if j := got.job; j != nil {
		if j.Complete() != w.Complete || j.SucceededPods != w.SucceededPods || j.FailedPods != w.FailedPods {
			fail("the Job's Complete() is %t with %d pods succeeded and %d failed, want %t, %d and %d",
				j.Complete(), j.SucceededPods, j.FailedPods, w.Complete, w.SucceededPods, w.FailedPods)
		}
	}
	have := make([]WantPod, 0, len(got.pods))
	for _, p := range got.pods {
		phase := p.Phase
		if phase == corev1.PodSucceeded || phase == corev1.PodFailed {
			if slices.ContainsFunc(w.Pods, func(p WantPod) bool { return p.Phase == anyEnd }) {
				phase = anyEnd
			}
		}
		have = append(have, WantPod{Phase: phase, Succeeded: p.Succeeded()})
	}
	if !sameElements(have, w.Pods) {
		fail("the pods are %+v, want %+v", have, w.Pods)
	}
	if len(w.Message) == 0 && got.message != "" {
		fail("the message is not empty: %s", got.message)
	}
	errs = append(errs, contains("the message", got.message, w.Message)...)
	return append(errs, w.Exit.check(got.err)...)
}

// check compares an expected ExitError with the actual one.
func (w *WantExit) check(err error) []error {
	if w == nil {
		if err != nil {
			return []error{fmt.Errorf("Err() is %w, want nil", err)}
		}
		return nil
	}
	var have *kontinue.ExitError
	if !errors.As(err, &have) {
		return []error{fmt.Errorf("Err() is no ExitError: %w", err)}
	}
	var errs []error
	got := WantExit{Container: have.Container, Code: have.ExitCode, Signal: have.Signal, Reason: have.Reason}
	want := WantExit{Container: w.Container, Code: w.Code, Signal: w.Signal, Reason: w.Reason}
	if w.AnyCode {
		got.Code, got.Signal, want.Code, want.Signal = 0, 0, 0, 0
	}
	if got != want {
		errs = append(errs, fmt.Errorf("Err() is %+v, want %+v: %w", got, want, have))
	}
	if class := w.class(); have.Class != class {
		errs = append(errs, fmt.Errorf("the class is %q, want %q: %w", have.Class, class, have))
	}
	if w.Is != nil && !errors.Is(err, w.Is) {
		errs = append(errs, fmt.Errorf("Err() does not match %q: %w", w.Is.Error(), err))
	}
	return errs
}

func (w *WantExit) class() kontinue.Class {
	switch {
	case w.Class != "":
		return w.Class
	case errors.Is(w.Is, kontinue.ErrDeadlineExceeded):
		return kontinue.ClassTimeout
	case errors.Is(w.Is, kontinue.ErrCanceled):
		return kontinue.ClassCanceled
	}
	return kontinue.ClassUser
}

func (w *Want) checkReports(reported []kontinue.Progress) []error {
	var errs []error
	for _, want := range w.Reported {
		if !slices.ContainsFunc(reported, func(p kontinue.Progress) bool {
			return p.Reason == want || strings.Contains(p.Message, want)
		}) {
			errs = append(errs, fmt.Errorf("%q was not reported to OnProgress, only:%s", want, reports(reported)))
		}
	}
	return errs
}

// reports formats the reports to OnProgress.
func reports(reported []kontinue.Progress) string {
	var lines []string
	for _, p := range reported {
		lines = append(lines, fmt.Sprintf("\n\t%6.2fs %s %s %s", p.Elapsed.Seconds(), p.State, p.Reason, p.Message))
	}
	return strings.Join(lines, "")
}

func contains(what, text string, parts []string) []error {
	var errs []error
	for _, part := range parts {
		if !strings.Contains(text, part) {
			errs = append(errs, fmt.Errorf("%s does not contain %q: %s", what, part, text))
		}
	}
	return errs
}

// sameElements reports whether two lists have the same elements in any order.
func sameElements[T comparable](a, b []T) bool {
	counts := map[T]int{}
	for _, v := range a {
		counts[v]++
	}
	for _, v := range b {
		counts[v]--
	}
	for _, n := range counts {
		if n != 0 {
			return false
		}
	}
	return true
}
