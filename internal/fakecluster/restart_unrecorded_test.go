package fakecluster_test

import (
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// copyOnStart keeps what a program leaves that is killed when a container has just been
// started, before the pod's status is written.
type copyOnStart struct {
	*containers.Scripts
	restart  int // of the instance
	from, to string
	copied   chan error
}

func (r *copyOnStart) Start(spec containers.Spec, exited func(containers.Exit)) (containers.Process, error) {
	process, err := r.Scripts.Start(spec, exited)
	if spec.Restart == r.restart {
		r.copied <- os.CopyFS(r.to, os.DirFS(r.from))
	}
	return process, err
}

// TestRestartAfterUnrecordedStart: a container whose start is in no status has run, and does
// not run again unless its pod restarts containers.
func TestRestartAfterUnrecordedStart(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		restart  int // the instance that is not recorded
		edit     []func(*batchv1.Job)
		outcome  string
		restarts int32 // of the container in the end
	}{
		"never restarted": {0, []func(*batchv1.Job){retries(0)}, "Failed/BackoffLimitExceeded", 0},
		"restarted":       {0, []func(*batchv1.Job){restartsOnFailure, retries(6)}, "Complete/CompletionsReached", 1},
		"second instance": {1, []func(*batchv1.Job){restartsOnFailure, retries(6)}, "Complete/CompletionsReached", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				dir, copied := t.TempDir(), t.TempDir()
				runtime := &copyOnStart{Scripts: containers.NewScripts(), restart: tc.restart, from: dir, to: copied, copied: make(chan error, 1)}
				runtime.On(containers.Match{}, containers.Script{Exit: containers.Exit{Code: 1}}, forever)
				if tc.restart == 0 {
					runtime.On(containers.Match{}, forever)
				}
				c := persisted(t, dir, nil, func(o *fakecluster.Options) { o.Runtime = runtime })
				create(t, c, newJob("job", tc.edit...))
				require.NoError(t, <-runtime.copied)
				synctest.Wait()
				<-time.After(time.Second)

				again := persisted(t, copied, map[string][]containers.Script{"main": {{}}})
				require.Equal(t, tc.outcome, outcome(ended(t, again, "job")))
				pods := podsOf(t, again, "job")
				require.Len(t, pods, 1)
				status := pods[0].Status.ContainerStatuses[0]
				require.Equal(t, tc.restarts, status.RestartCount)
				lost := status.State.Terminated
				if tc.restarts > 0 {
					require.Zero(t, lost.ExitCode)
					lost = status.LastTerminationState.Terminated
				}
				require.Equal(t, int32(255), lost.ExitCode)
				require.Equal(t, "Unknown", lost.Reason)
				if tc.restarts == 0 {
					require.Equal(t, corev1.PodFailed, pods[0].Status.Phase)
				}
			})
		})
	}
}
