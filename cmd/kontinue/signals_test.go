package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
)

// TestRunDetach: the first Ctrl-C and SIGTERM leave the Job alone, and the same call
// returns to it, with the log from its first line.
func TestRunDetach(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	release := filepath.Join(t.TempDir(), "go")
	script := "echo one; until [ -e " + release + " ]; do sleep 0.05; done; echo two"
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		p := r.begin(t, "--name a", script)
		require.Equal(t, "one", p.line(t))
		p.signals <- sig
		_, code := p.end(t)
		require.Equal(t, want, code)
		require.Regexp(t, `default/a: detached from job a-step-1-\w+, which keeps running; repeat the call with --name a to return to it\n$`, p.errOut.String())
	}
	p := r.begin(t, "--name a", script)
	require.Equal(t, "one", p.line(t))
	require.NoError(t, os.WriteFile(release, nil, 0o600))
	out, code := p.end(t)
	require.Zero(t, code)
	require.Equal(t, "two\n", out)
	require.Len(t, r.jobs(t), 1)
}

// TestSignalWhileStarting: a signal ends a start, unless the container runs already: the
// log can be there before the call that has created the Job returns.
func TestSignalWhileStarting(t *testing.T) {
	t.Parallel()
	for _, ran := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(t.Context())
		signals := make(chan os.Signal)
		s := &session{runOptions: &runOptions{name: "a"}, display: newDisplay(terminal{out: io.Discard, err: io.Discard}, "a"), signals: signals, cancel: cancel}
		if ran {
			_, err := s.display.Write(nil)
			require.NoError(t, err)
		}
		stop := s.interruptible()
		signals <- os.Interrupt
		stop()
		if ran {
			require.Nil(t, interrupted(ctx))
			require.Equal(t, os.Interrupt, s.early)
		} else {
			require.Equal(t, 130, interrupted(ctx).code)
			require.Nil(t, s.early)
		}
		s.display.close()
		cancel(nil)
	}
}

// TestRunSignalAtCreate: whenever the signal comes, the exit code is its, the Job stays,
// and the last line says how to return to it.
func TestRunSignalAtCreate(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	jobs, err := clientOf(t, r.kubeconfig).BatchV1().Jobs("default").Watch(t.Context(), metav1.ListOptions{TimeoutSeconds: new(int64(60))})
	require.NoError(t, err)
	defer jobs.Stop()
	p := r.begin(t, "--name a", "exec sleep 600")
	require.Equal(t, watch.Added, (<-jobs.ResultChan()).Type)
	p.signals <- syscall.SIGTERM
	_, code := p.end(t)
	require.Equal(t, 143, code)
	require.Regexp(t, `keeps running[:;] repeat the call with --name a to return to it\n$`, p.errOut.String())
	require.Len(t, r.jobs(t), 1)
}

// TestRunCancel: Ctrl-C twice stops the Job and waits for its end.
func TestRunCancel(t *testing.T) {
	t.Parallel()
	r := newRunner(t)
	p := r.begin(t, "--name a", "echo one; exec sleep 600")
	require.Equal(t, "one", p.line(t))
	p.signals <- os.Interrupt
	p.signals <- os.Interrupt
	_, code := p.end(t)
	require.Equal(t, 130, code)
	require.Contains(t, p.errOut.String(), "default/a: stopping the Job; press Ctrl-C again to leave at once\n")
	require.Contains(t, p.errOut.String(), "The step was canceled")
	jobs := r.jobs(t)
	require.Len(t, jobs, 1)
	require.Equal(t, batchv1.JobFailureTarget, jobs[0].Status.Conditions[0].Type)
}
