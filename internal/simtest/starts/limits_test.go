package starts_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/simtest"
)

// oneContainer returns a step that runs a container named main.
func oneContainer(change func(*corev1.PodSpec)) *kontinue.PodOptions {
	spec := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "alpine:3"}}}
	if change != nil {
		change(&spec)
	}
	return &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: "a"}, Spec: spec}
}

func needsSecret(s *corev1.PodSpec) {
	s.Containers[0].EnvFrom = []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "credentials"}}}}
}

func mountsSecret(s *corev1.PodSpec) {
	s.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "credentials"}}}}
	s.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
}

func needsMuch(s *corev1.PodSpec) {
	s.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1000")}
}

// TestGivenUp: every problem of a start that does not heal ends the step at its limit, as
// a failure with the cluster's own words. Nothing of the Job is left, and a worker that
// resumes returns the same.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script  containers.Script
		options *kontinue.PodOptions
		reason  string
		message string
		after   time.Duration
	}{
		"image": {
			script: containers.Script{PullError: "ErrImagePull", PullMessage: "manifest unknown"}, options: oneContainer(nil),
			reason: "ImagePull", message: `container "main" has not started, image "alpine:3": `, after: 5 * time.Minute,
		},
		"image name": {
			script: containers.Script{PullError: "InvalidImageName", PullMessage: "couldn't parse"}, options: oneContainer(nil),
			reason: "InvalidImageName", message: "couldn't parse", after: time.Second,
		},
		"secret of a variable": {
			options: oneContainer(needsSecret), reason: "CreateContainerConfigError", message: `secret "credentials" not found`, after: 5 * time.Minute,
		},
		"secret of a volume": {
			options: oneContainer(mountsSecret), reason: "FailedMount", message: `secret "credentials" not found`, after: 20 * time.Minute,
		},
		"service account": {
			options: oneContainer(func(s *corev1.PodSpec) { s.ServiceAccountName = "missing" }),
			reason:  "FailedCreate", message: `serviceaccount "missing" not found`, after: 10 * time.Minute,
		},
		"no node": {
			options: oneContainer(needsMuch), reason: "Unschedulable", message: "Insufficient cpu", after: 15 * time.Minute,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, tc.script)
				began := time.Now()
				p := w.Worker()
				r, err := kontinue.RunPod(p.ExecutionContext(), tc.options)
				require.NoError(w, err)
				took := time.Since(began)
				require.GreaterOrEqual(w, took, tc.after)
				require.Less(w, took, tc.after+2*time.Minute)
				requireGivenUp(w, r, tc.reason, tc.message)
				for _, pod := range w.Pods() {
					require.Equal(w, corev1.PodFailed, pod.Status.Phase)
				}
				job := w.Jobs()["a"][0]
				require.Equal(w, batchv1.JobFailed, job.Status.Conditions[len(job.Status.Conditions)-1].Type)
				again, err := kontinue.RunPod(w.Worker().ExecutionContext(), tc.options)
				require.NoError(w, err)
				require.True(w, again.Resumed())
				require.Equal(w, r.Message, again.Message)
				requireGivenUp(w, again, tc.reason, tc.message)
			})
		})
	}
}

func requireGivenUp(w *simtest.World, r *kontinue.PodResult, reason, message string) {
	w.Helper()
	require.False(w, r.Succeeded())
	require.Contains(w, r.Message, message)
	require.Contains(w, r.Message, "gave up after")
	var exit *kontinue.ExitError
	require.ErrorAs(w, r.Err(), &exit)
	require.Contains(w, exit.Reason, reason)
	require.NotErrorIs(w, r.Err(), kontinue.ErrDeadlineExceeded)
	require.NotErrorIs(w, r.Err(), kontinue.ErrCanceled)
}

// TestHealsInTime: a problem that ends before its limit does no harm, however many times
// the worker is started again.
func TestHealsInTime(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]containers.Script{
		"image": {PullError: "ErrImagePull", PullErrorFor: 4 * time.Minute},
		"node":  {Unschedulable: 14 * time.Minute},
		"slow":  {PullTime: 18 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			simtest.Run(t, func(w *simtest.World) {
				w.Cluster.On(containers.Match{}, script)
				p := w.Worker()
				time.AfterFunc(2*time.Minute, p.Kill)
				_, err := kontinue.RunPod(p.ExecutionContext(), oneContainer(nil))
				require.ErrorIs(w, err, simtest.ErrKilled)
				r, err := kontinue.RunPod(w.Worker().ExecutionContext(), oneContainer(nil))
				require.NoError(w, err)
				require.NoError(w, r.Err())
				w.RequireRanOnce(map[string]int{"a": 1})
			})
		})
	}
}

// TestRestartAddsNothing: the limit counts from the state of the cluster. The worker that
// resumes shortly before it is over gives up after the minute for which it observes a
// problem.
func TestRestartAddsNothing(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull"})
		began := time.Now()
		p := w.Worker()
		time.AfterFunc(290*time.Second, p.Kill)
		_, err := kontinue.RunPod(p.ExecutionContext(), oneContainer(nil))
		require.ErrorIs(w, err, simtest.ErrKilled)
		r, err := kontinue.RunPod(w.Worker().ExecutionContext(), oneContainer(nil))
		require.NoError(w, err)
		requireGivenUp(w, r, "ImagePull", "image")
		require.Less(w, time.Since(began), 6*time.Minute+30*time.Second)
	})
}

// TestWorkersGiveUpAlike: all workers return the result of the one that gave up.
func TestWorkersGiveUpAlike(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull"})
		results := make(chan *kontinue.PodResult, 3)
		for range 3 {
			p := w.Worker()
			go func() {
				r, err := kontinue.RunPod(p.ExecutionContext(), oneContainer(nil))
				if err != nil {
					t.Error(err)
				}
				results <- r
			}()
		}
		first := <-results
		for range 2 {
			require.Equal(w, first.Message, (<-results).Message)
		}
		requireGivenUp(w, first, "ImagePull", "image")
	})
}

// TestLimitsAreTheUsers: a step's own limit precedes the client's, and zero means none.
func TestLimitsAreTheUsers(t *testing.T) {
	t.Parallel()
	simtest.Run(t, func(w *simtest.World) {
		w.Cluster.On(containers.Match{}, containers.Script{PullError: "ErrImagePull", PullErrorFor: 24 * time.Hour})
		began := time.Now()
		never := oneContainer(nil)
		never.StartLimits = kontinue.StartLimits{"ErrImagePull": 0}
		r, err := kontinue.RunPod(w.Worker().ExecutionContext(), never)
		require.NoError(w, err)
		require.NoError(w, r.Err())
		require.GreaterOrEqual(w, time.Since(began), 24*time.Hour)

		soon := oneContainer(nil)
		soon.Name, soon.StartLimits = "b", kontinue.StartLimits{"ErrImagePull": 10 * time.Second}
		began = time.Now()
		r, err = kontinue.RunPod(w.Worker().ExecutionContext(), soon)
		require.NoError(w, err)
		requireGivenUp(w, r, "ImagePull", "gave up after 10s")
		require.Less(w, time.Since(began), 30*time.Second)

		wrong := oneContainer(nil)
		wrong.Name, wrong.StartLimits = "c", kontinue.StartLimits{"ErrImagePul": time.Second, "NodeLost": -1}
		p := w.Worker()
		_, err = kontinue.RunPod(p.ExecutionContext(), wrong)
		require.ErrorIs(w, err, kontinue.ErrInvalid)
		require.ErrorContains(w, err, `no reason "ErrImagePul"`)
		require.ErrorContains(w, err, `StartLimits["NodeLost"] is negative`)
		require.Zero(w, p.Requests(""))
	})
}
