package jobs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

func queued(r *jobs.Request) { r.Queue = "gpu" }

// TestBuildQueue: the Job has the label and is suspended. Its hash, name and pods are
// those of the same Job without a queue, so that a step may move to another queue.
func TestBuildQueue(t *testing.T) {
	t.Parallel()
	want := build(t)
	want.Labels[identity.LabelQueue] = "gpu"
	want.Spec.Suspend = new(true)
	require.Equal(t, want, build(t, queued))
	require.Equal(t, want, build(t, queued, func(r *jobs.Request) {
		r.Labels = map[string]string{identity.LabelQueue: "gpu"}
	}), "the same queue may be in the labels, too")
	require.True(t, *build(t, queued, func(r *jobs.Request) { r.Spec.Suspend = new(false) }).Spec.Suspend)
	require.True(t, identity.MetadataOf(want).Queued)
	require.False(t, identity.MetadataOf(build(t)).Queued)
}

func TestValidateQueue(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*jobs.Request){
		`queue: Invalid value: "G P U": a lowercase RFC 1123 subdomain`: func(r *jobs.Request) { r.Queue = "G P U" },
		"must be no more than 63 ":                                      func(r *jobs.Request) { r.Queue = strings.Repeat("q", 64) },
		`queue: Invalid value: "gpu": the label kueue.x-k8s.io/queue-name says "cpu"`: func(r *jobs.Request) {
			r.Queue, r.Labels = "gpu", map[string]string{identity.LabelQueue: "cpu"}
		},
		`the label kueue.x-k8s.io/queue-name says ""`: func(r *jobs.Request) {
			r.Queue, r.Labels = "gpu", map[string]string{identity.LabelQueue: ""}
		},
	} {
		err := changed(change).Validate()
		require.ErrorIs(t, err, jobs.ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, changed(func(r *jobs.Request) { r.Queue = "team-a.gpu" }).Validate())
}

// admit changes a Job as Kueue does when it admits it.
func admit(job *batchv1.Job) {
	job.Spec.Suspend = new(false)
	job.Spec.ManagedBy = new("kueue.x-k8s.io/multikueue")
	job.Annotations["kueue.x-k8s.io/job-min-parallelism"], job.Spec.Parallelism = "1", new(int32(1))
	job.Spec.Template.Labels["kueue.x-k8s.io/podset"] = "main"
	job.Spec.Template.Annotations["kueue.x-k8s.io/workload"] = "job-helm"
	pod := &job.Spec.Template.Spec
	pod.NodeSelector = map[string]string{"pool": "gpu", "zone": "a"}
	pod.Tolerations = append(pod.Tolerations, corev1.Toleration{Key: "gpu", Operator: corev1.TolerationOpExists})
	pod.SchedulingGates = []corev1.PodSchedulingGate{{Name: "kueue.x-k8s.io/topology"}}
}

// TestQueueIsNoDrift: what a queue has changed in a Job is no drift of the options, and
// neither is the queue itself. What the user has changed is listed beside it.
func TestQueueIsNoDrift(t *testing.T) {
	t.Parallel()
	options := func(r *jobs.Request) {
		r.Queue, r.Spec.Parallelism = "gpu", new(int32(3))
		r.Spec.Template.Spec.NodeSelector = map[string]string{"zone": "a"}
		r.Spec.Template.Spec.Tolerations = []corev1.Toleration{{Key: "spot"}}
	}
	for name, tc := range map[string]struct {
		change func(*jobs.Request)
		want   []string
	}{
		"the same options": {func(*jobs.Request) {}, nil},
		"another queue":    {func(r *jobs.Request) { r.Queue = "cpu" }, nil},
		"no queue":         {func(r *jobs.Request) { r.Queue = "" }, nil},
		"another image": {
			func(r *jobs.Request) { r.Spec.Template.Spec.Containers[0].Image = "alpine:4" },
			[]string{"template.spec.containers[0].image: alpine:3.19 -> alpine:4"},
		},
		"another zone": {
			func(r *jobs.Request) { r.Spec.Template.Spec.NodeSelector = map[string]string{"zone": "b"} },
			[]string{"template.spec.nodeSelector.zone: a -> b"},
		},
	} {
		job := build(t, options)
		job.UID = "live"
		admit(job)
		r := changed(options, tc.change)
		client := jobs.NewClient(newCluster(job), jobs.Options{})
		got, err := client.Acquire(t.Context(), r, jobs.None, firstRuns(client, r), []jobs.Found{found(job)})
		require.NoError(t, err, name)
		require.True(t, got.Adopted, name)
		require.Equal(t, tc.want, got.Drift, name)
		require.Empty(t, got.Mutations, name)
	}
}

// TestAdmittedBehindALostAnswer: the queue has admitted the Job before the step has read it.
func TestAdmittedBehindALostAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster()
	c.answer("create", func(n int, a ktesting.Action) error {
		if n > 1 {
			return nil
		}
		job := a.(ktesting.CreateAction).GetObject().(*batchv1.Job).DeepCopy()
		job.UID = "live"
		admit(job)
		require.NoError(t, c.Tracker().Add(job))
		return errEOF
	})
	got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(queued))
	require.NoError(t, err)
	require.True(t, got.Adopted)
	require.Empty(t, got.Mutations)
}

// TestWebhookOfAQueue: what the queue's webhook sets at the create is a mutation.
func TestWebhookOfAQueue(t *testing.T) {
	t.Parallel()
	c := newCluster()
	c.admission(func(job *batchv1.Job) { job.Spec.ManagedBy = new("kueue.x-k8s.io/multikueue") })
	got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(queued))
	require.NoError(t, err)
	require.Equal(t, []string{"managedBy: kueue.x-k8s.io/multikueue -> unset (removed, or added by the cluster)"}, got.Mutations)
}
