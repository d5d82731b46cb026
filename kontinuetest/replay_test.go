package kontinuetest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// recorded is a cluster with clients that record to one file.
type recorded struct {
	*kontinuetest.Cluster
	t    *testing.T
	file *os.File
}

// client starts a further client.
func (r *recorded) client(change ...func(*kontinue.Config)) *kontinue.Client {
	config := r.Config()
	config.Record = r.file
	for _, f := range change {
		f(&config)
	}
	client, err := kontinue.New(config)
	require.NoError(r.t, err)
	require.NoError(r.t, client.Start(r.t.Context()))
	return client
}

func (r *recorded) run(client *kontinue.Client, x kontinue.Execution) *kontinue.ExecutionContext {
	ktx, err := client.NewExecutionContext(r.t.Context(), x)
	require.NoError(r.t, err)
	return ktx
}

// record plays something in a bubble and returns the file of its recording.
func record(t *testing.T, play func(t *testing.T, r *recorded)) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "recording.jsonl")
	synctest.Test(t, func(t *testing.T) {
		file, err := os.Create(path)
		require.NoError(t, err)
		play(t, &recorded{kontinuetest.New(t), t, file})
		synctest.Wait()
		require.NoError(t, file.Close())
	})
	return path
}

func stop(t *testing.T, client *kontinue.Client) {
	require.NoError(t, client.Stop(context.WithoutCancel(t.Context())))
}

// TestReplay: what was recorded has the same end in a replay, without a request that the
// recording lacks.
func TestReplay(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		play  func(t *testing.T, r *recorded)
		check func(t *testing.T, r *kontinuetest.Recording)
	}{
		"success": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("s").Pending(time.Minute).Run(time.Hour))
				client := r.client()
				defer stop(t, client)
				result, err := script(r.run(client, r.NewExecution("e")), "s", "true")
				require.NoError(t, err)
				require.NoError(t, result.Err())
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				require.NoError(t, r.Step("s").Err)
				require.Equal(t, kontinue.StepSucceeded, r.Step("s").State)
				require.Equal(t, kontinue.StepSucceeded, r.Step("s").Recorded.State)
			},
		},
		"exit code": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("s").Run(time.Second).Log("why").Exit(3))
				client := r.client()
				defer stop(t, client)
				result, err := script(r.run(client, r.NewExecution("e")), "s", "exit 3")
				require.NoError(t, err)
				require.Error(t, result.Err())
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				var failed *kontinue.ExitError
				require.ErrorAs(t, r.Step("s").Err, &failed)
				require.EqualValues(t, 3, failed.ExitCode)
				require.EqualValues(t, 3, r.Step("s").Recorded.ExitCode)
			},
		},
		"several pods": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("flaky").Exit(1).Then().Exit(2).Then().Run(time.Minute))
				client := r.client()
				defer stop(t, client)
				result, err := kontinue.RunJob(r.run(client, r.NewExecution("e")), &kontinue.JobOptions{
					StepOptions: kontinue.StepOptions{Name: "flaky"},
					Spec: batchv1.JobSpec{BackoffLimit: ptr.To[int32](2), Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{
						Containers: []corev1.Container{{Name: "main", Image: "i", Env: []corev1.EnvVar{{Name: "A", Value: "confidential"}}}},
					}}},
				})
				require.NoError(t, err)
				require.True(t, result.Complete())
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				require.Equal(t, kontinue.StepSucceeded, r.Step("flaky").State)
			},
		},
		"retries": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("s").Run(time.Second).Exit(1))
				client := r.client()
				defer stop(t, client)
				result, err := kontinue.RunScript(r.run(client, r.NewExecution("e")), &kontinue.ScriptOptions{
					StepOptions: kontinue.StepOptions{Name: "s", Retry: kontinue.Retry{Limit: 2}}, Image: "alpine:3", Command: "false",
				})
				require.NoError(t, err)
				require.Error(t, result.Err())
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				require.Equal(t, 2, r.Step("s").Run)
				require.Equal(t, r.Step("s").Recorded.Job, r.Step("s").Job)
			},
		},
		"files, and options that are removed": {
			func(t *testing.T, r *recorded) {
				client := r.client(func(c *kontinue.Config) {
					c.PodTemplate = &corev1.PodTemplateSpec{
						ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{"team": "confidential"}},
						Spec:       corev1.PodSpec{Hostname: "confidential", Tolerations: []corev1.Toleration{{Key: "gpu", Value: "yes"}}},
					}
				})
				defer stop(t, client)
				ktx := r.run(client, r.NewExecution("e"))
				for range 2 { // unnamed ones
					result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
						StepOptions: kontinue.StepOptions{DisplayName: "confidential", Description: "confidential"},
						Image:       "alpine:3", Command: "confidential", Files: map[string]string{"/a/b": "confidential"},
						Env:         []corev1.EnvVar{{Name: "TOKEN", Value: "confidential"}},
						ExtraLabels: map[string]string{"team": "confidential"}, PodAnnotations: map[string]string{"note": "confidential"},
						Volumes:      []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
						VolumeMounts: []corev1.VolumeMount{{Name: "v", MountPath: "/confidential", SubPathExpr: "x"}},
						WorkingDir:   "/confidential",
					})
					require.NoError(t, err)
					require.NoError(t, result.Err())
				}
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				require.NoError(t, r.Step("step-1").Err)
				require.NoError(t, r.Step("step-2").Err)
			},
		},
		"lost answer": {
			func(t *testing.T, r *recorded) {
				r.LoseAnswers("create", "jobs", 1, errors.New("connection reset by peer"))
				r.FailRequests("patch", "jobs", 3, errors.New("connection refused"))
				client := r.client()
				defer stop(t, client)
				result, err := script(r.run(client, r.NewExecution("e")), "s", "true")
				require.NoError(t, err)
				require.True(t, result.Resumed())
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				require.NoError(t, r.Step("s").Err)
				require.True(t, r.Step("s").Adopted)
			},
		},
		"cut and expired watches": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("s").Run(time.Hour).Exit(6))
				client := r.client()
				defer stop(t, client)
				s, err := kontinue.StartScript(r.run(client, r.NewExecution("e")), &kontinue.ScriptOptions{
					StepOptions: kontinue.StepOptions{Name: "s"}, Image: "alpine:3", Command: "exit 6",
				})
				require.NoError(t, err)
				r.Running("s")
				r.CutWatches()
				r.FailRequests("watch", "pods", 2, errors.New("connection refused"))
				<-time.After(10 * time.Minute)
				r.ExpireWatches()
				result, err := s.Wait(t.Context())
				require.NoError(t, err)
				require.Error(t, result.Err())
			},
			func(t *testing.T, r *kontinuetest.Recording) { require.EqualValues(t, 6, r.Step("s").ExitCode) },
		},
		"deleted Job": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("s").Hang())
				client := r.client()
				defer stop(t, client)
				s, err := kontinue.StartScript(r.run(client, r.NewExecution("e")), &kontinue.ScriptOptions{
					StepOptions: kontinue.StepOptions{Name: "s"}, Image: "alpine:3", Command: "sleep inf",
				})
				require.NoError(t, err)
				r.Running("s")
				require.NoError(t, r.Clientset().BatchV1().Jobs(kontinuetest.Namespace).Delete(t.Context(), s.JobName(),
					metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}))
				_, err = s.Wait(t.Context())
				require.ErrorIs(t, err, kontinue.ErrJobDeleted)
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				require.ErrorIs(t, r.Step("s").Err, kontinue.ErrJobDeleted)
				require.ErrorIs(t, r.Step("s").Recorded.Err, kontinue.ErrJobDeleted)
			},
		},
		"canceled run, and a resume in the same process": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("s").Run(time.Hour))
				client := r.client()
				defer stop(t, client)
				x := r.NewExecution("e")
				ctx, cancel := context.WithCancelCause(t.Context())
				ktx, err := client.NewExecutionContext(ctx, x)
				require.NoError(t, err)
				s, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: "s"}, Image: "alpine:3", Command: "true"})
				require.NoError(t, err)
				r.Running("s")
				cancel(errors.New("the lease is lost"))
				_, err = s.Wait(t.Context())
				require.ErrorIs(t, err, context.Canceled)
				x.Resumptions++
				result, err := script(r.run(client, x), "s", "true")
				require.NoError(t, err)
				require.NoError(t, result.Err())
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				require.Len(t, r.Steps, 2)
				require.ErrorIs(t, r.Steps[0].Err, context.Canceled)
				require.ErrorContains(t, r.Steps[0].Err, "the lease is lost")
				require.NoError(t, r.Steps[1].Err)
				require.True(t, r.Steps[1].Adopted)
			},
		},
		"stopped client, and a resume in another process": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("s").Run(time.Hour))
				first := r.client()
				x := r.NewExecution("e")
				s, err := kontinue.StartScript(r.run(first, x), &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: "s"}, Image: "alpine:3", Command: "true"})
				require.NoError(t, err)
				r.Running("s")
				stop(t, first)
				_, err = s.Wait(t.Context())
				require.ErrorIs(t, err, kontinue.ErrNotRunning)
				second := r.client()
				defer stop(t, second)
				x.Resumptions++
				result, err := script(r.run(second, x), "s", "true")
				require.NoError(t, err)
				require.NoError(t, result.Err())
			},
			func(t *testing.T, r *kontinuetest.Recording) {
				require.Len(t, r.Steps, 2)
				require.ErrorIs(t, r.Steps[0].Err, kontinue.ErrNotRunning)
				require.NoError(t, r.Steps[1].Err)
			},
		},
		"another spec in another attempt": {
			func(t *testing.T, r *recorded) {
				r.Play(kontinuetest.Job("s").Exit(1))
				client := r.client()
				defer stop(t, client)
				x := r.NewExecution("e")
				for attempt, policy := range []kontinue.ChildPolicy{kontinue.ChildPolicyNone, kontinue.ChildPolicyNone, kontinue.ChildPolicyRetryFailed} {
					x.Attempts, x.ChildPolicy = attempt, policy
					result, err := script(r.run(client, x), "s", strings.Repeat("x", attempt+1))
					require.NoError(t, err)
					require.Error(t, result.Err())
					require.Equal(t, attempt == 1, len(result.Drift()) > 0)
				}
			},
			func(t *testing.T, r *kontinuetest.Recording) { require.Equal(t, 1, r.Step("s").Run) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := record(t, tc.play)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			require.NotContains(t, string(text), "confidential")
			replay := kontinuetest.Replay(t, file)
			require.Empty(t, inEnds(replay))
			for _, s := range replay.Steps {
				require.True(t, s.Ended, s.Step)
				require.NotNil(t, s.Recorded, s.Step)
			}
			tc.check(t, replay)
		})
	}
}

// inEnds returns the differences without those of reads: what comes at the same instant from
// two watches may come in another order, upon which the library may read once more, and the
// pauses between the tries of a request are random.
func inEnds(replay *kontinuetest.Recording) []string {
	return slices.DeleteFunc(slices.Clone(replay.Differences), func(d string) bool {
		return regexp.MustCompile(`^(get|list|watch) .*: the recording has no such request`).MatchString(d)
	})
}
