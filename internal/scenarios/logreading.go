package scenarios

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue"
)

// logReading returns scenarios that read the logs of a step.
func logReading() []*Scenario {
	count := func(n int, word string) string {
		return fmt.Sprintf("i=0; while [ $i -lt %d ]; do i=$((i+1)); echo %s $i; done", n, word)
	}
	return []*Scenario{
		{
			Name: "logs", Shows: "the last 1, 100 and 500 of 600 log lines are read",
			Pod:  podOf(count(600, "line")),
			Want: podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				return firstError(
					r.wantLogs(&kontinue.LogOptions{TailLines: 1}, lines("line", 600, 600)),
					r.wantLogs(nil, lines("line", 501, 600)),
					r.wantLogs(&kontinue.LogOptions{TailLines: 500}, lines("line", 101, 600)),
					r.wantLogs(&kontinue.LogOptions{TailLines: 5000}, lines("line", 1, 600)),
				)
			},
		},
		{
			Name: "logs-of-containers", Shows: "the logs of a second container and of an init container are read by name",
			Pod: &kontinue.PodOptions{Spec: change(pod(container("main", "echo from main"), container("other", "echo from other")), func(s *corev1.PodSpec) {
				s.InitContainers = []corev1.Container{container("setup", "echo from setup")}
			})},
			Want: podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				return firstError(
					r.wantLogs(nil, "from main\n"),
					r.wantLogs(&kontinue.LogOptions{Container: "other"}, "from other\n"),
					r.wantLogs(&kontinue.LogOptions{Container: "setup"}, "from setup\n"),
				)
			},
		},
		{
			Name: "logs-empty", Shows: "the log of a container without output is read",
			Pod: podOf("true"), Want: podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				return firstError(r.wantLogs(nil, ""), r.wantSummary(""))
			},
		},
		{
			Name: "logs-10-megabytes", Shows: "the end of 10 MB of output is read", Needs: []Capability{LongLogs},
			Pod:  podOf("yes 123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 | head -n 100000; " + count(200, "end")),
			Want: podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				return firstError(
					r.wantLogs(&kontinue.LogOptions{TailLines: 5}, lines("end", 196, 200)),
					r.wantLogs(nil, lines("end", 101, 200)),
				)
			},
		},
		{
			Name: "log-error-summary", Shows: "the last meaningful log line of the failed container is read",
			Pod:  &kontinue.PodOptions{Spec: pod(container("main", "echo all is well"), container("other", "echo starting; echo 'no route to the database'; echo; exit 1"))},
			Want: podFails(WantExit{Container: "other", Code: 1, Reason: "Error"}, `container "other" failed: exit code 1`),
			After: func(_ context.Context, r *Run) error {
				return r.wantSummary("no route to the database")
			},
		},
		{
			Name: "logs-of-unknown-container", Shows: "the logs of a container that the pod does not have are requested",
			Pod: podOf("true"), Want: podSucceeds(),
			After: func(_ context.Context, r *Run) error {
				text, err := r.Pod.Logs(r.Context, &kontinue.LogOptions{Container: "unknown"})
				if err == nil {
					return fmt.Errorf("want an error, got the log %q", text)
				}
				return firstError(contains("the error", err.Error(), []string{"unknown", "no such container"})...)
			},
		},
	}
}

// lines returns the lines "word from" to "word to".
func lines(word string, from, to int) string {
	var b strings.Builder
	for i := from; i <= to; i++ {
		fmt.Fprintf(&b, "%s %d\n", word, i)
	}
	return b.String()
}

// wantLogs compares the logs of the result's pod. It ignores a final newline.
func (r *Run) wantLogs(o *kontinue.LogOptions, want string) error {
	text, err := r.Pod.Logs(r.Context, o)
	if err != nil {
		return fmt.Errorf("logs cannot be read: %w", err)
	}
	if strings.TrimSuffix(text, "\n") != strings.TrimSuffix(want, "\n") {
		return fmt.Errorf("the logs are (%d bytes) %.200q, want (%d bytes) %.200q", len(text), text, len(want), want)
	}
	return nil
}

func (r *Run) wantSummary(want string) error {
	text, err := r.Pod.LogErrorSummary(r.Context)
	if err != nil {
		return fmt.Errorf("the summary cannot be read: %w", err)
	}
	if text != want {
		return fmt.Errorf("the summary is %q, want %q", text, want)
	}
	return nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
