package jobs_test

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// admission changes each Job that is created, as a webhook does.
func (c *cluster) admission(change func(*batchv1.Job)) {
	c.PrependReactor("create", "jobs", func(a ktesting.Action) (bool, runtime.Object, error) {
		job := a.(ktesting.CreateAction).GetObject().(*batchv1.Job).DeepCopy()
		job.UID = "live"
		change(job)
		return true, job, c.Tracker().Add(job)
	})
}

// TestChangesAtTheCreate: the result and one line of the log say what the cluster has
// changed or dropped, without confidential values.
func TestChangesAtTheCreate(t *testing.T) {
	t.Parallel()
	submitted := func(r *jobs.Request) {
		r.Spec.Completions, r.Spec.CompletionMode = new(int32(2)), new(batchv1.IndexedCompletion)
		r.Spec.SuccessPolicy = &batchv1.SuccessPolicy{Rules: []batchv1.SuccessPolicyRule{{SucceededCount: new(int32(1))}}}
		r.Spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "TOKEN", Value: "hunter2"}}
	}
	const added = " (removed, or added by the cluster)"
	for name, tc := range map[string]struct {
		change func(*batchv1.Job)
		want   []string
	}{
		"nothing": {func(*batchv1.Job) {}, nil},
		"its own defaults": {func(j *batchv1.Job) {
			j.Spec.Parallelism, j.Spec.BackoffLimit, j.Spec.Suspend = new(int32(1)), new(int32(6)), new(false)
			j.Spec.Template.Spec.Containers[0].ImagePullPolicy = corev1.PullIfNotPresent
		}, nil},
		"dropped":           {func(j *batchv1.Job) { j.Spec.SuccessPolicy = nil }, []string{"successPolicy: unset -> set"}},
		"suspended":         {func(j *batchv1.Job) { j.Spec.Suspend = new(true) }, []string{"suspend: true -> unset" + added}},
		"a deadline":        {func(j *batchv1.Job) { j.Spec.ActiveDeadlineSeconds = new(int64(9)) }, []string{"activeDeadlineSeconds: 9 -> unset" + added}},
		"another image":     {func(j *batchv1.Job) { j.Spec.Template.Spec.Containers[0].Image = "mirror/a" }, []string{"template.spec.containers[0].image: mirror/a -> alpine:3.19"}},
		"another variable":  {func(j *batchv1.Job) { j.Spec.Template.Spec.Containers[0].Env[0].Value = "hunter3" }, []string{"template.spec.containers[0].env[TOKEN].value: changed"}},
		"an init container": {func(j *batchv1.Job) { j.Spec.Template.Spec.InitContainers = []corev1.Container{{Name: "mesh"}} }, []string{"template.spec.initContainers: set -> unset" + added}},
		"a TTL, once":       {func(j *batchv1.Job) { j.Spec.TTLSecondsAfterFinished = new(int32(60)) }, nil},
		"a second container": {func(j *batchv1.Job) {
			c := &j.Spec.Template.Spec.Containers
			*c = append(*c, corev1.Container{Name: "mesh", Image: "mesh:1"})
		}, []string{"template.spec.containers[mesh]: set -> unset" + added}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster()
			c.admission(tc.change)
			var log bytes.Buffer
			client := jobs.NewClient(c, jobs.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			got, err := acquire(t.Context(), client, changed(submitted))
			require.NoError(t, err)
			require.Equal(t, tc.want, got.Mutations)
			require.Empty(t, got.Drift)
			require.Equal(t, len(tc.want), bytes.Count(log.Bytes(), []byte("level=WARN")))
			require.NotContains(t, log.String(), "hunter")
			live, err := client.Get(t.Context(), "ns", got.Run.Name)
			require.NoError(t, err)
			require.Nil(t, live.Spec.TTLSecondsAfterFinished)
		})
	}
}

// TestChangesBehindALostAnswer: the Job that a look finds is compared as well.
func TestChangesBehindALostAnswer(t *testing.T) {
	t.Parallel()
	c := newCluster()
	c.answer("create", func(n int, a ktesting.Action) error {
		if n > 1 {
			return nil
		}
		job := a.(ktesting.CreateAction).GetObject().(*batchv1.Job).DeepCopy()
		job.UID, job.Spec.Suspend, job.Spec.TTLSecondsAfterFinished = "live", new(true), new(int32(60))
		require.NoError(t, c.Tracker().Add(job))
		return errEOF
	})
	client := jobs.NewClient(c, jobs.Options{})
	got, err := acquire(t.Context(), client, request())
	require.NoError(t, err)
	require.True(t, got.Adopted)
	require.Equal(t, []string{"suspend: true -> unset (removed, or added by the cluster)"}, got.Mutations)
	live, err := client.Get(t.Context(), "ns", got.Run.Name)
	require.NoError(t, err)
	require.Nil(t, live.Spec.TTLSecondsAfterFinished)
}

// TestTTLThatIsSetAgain cannot be taken back, and is reported.
func TestTTLThatIsSetAgain(t *testing.T) {
	t.Parallel()
	c := newCluster()
	c.admission(func(j *batchv1.Job) { j.Spec.TTLSecondsAfterFinished = new(int32(60)) })
	c.instead("patch", func() {})
	got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
	require.NoError(t, err)
	require.Len(t, got.Mutations, 1)
	require.Contains(t, got.Mutations[0], "ttlSecondsAfterFinished: 60 -> unset (the cluster sets it again")
}

// TestCopyOfAJob: a Job that somebody made from a copy of the step's, under its name,
// runs something else than its hash says.
func TestCopyOfAJob(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*corev1.Container){
		"image":     func(c *corev1.Container) { c.Image = "evil:1" },
		"command":   func(c *corev1.Container) { c.Command = []string{"rm", "-rf"} },
		"arguments": func(c *corev1.Container) { c.Args = []string{"now"} },
	} {
		c := newCluster(live(t, func(j *batchv1.Job) { change(&j.Spec.Template.Spec.Containers[0]) }))
		got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), request())
		require.NoError(t, err, name)
		require.True(t, got.Adopted, name)
		require.Empty(t, got.Drift, name)
		require.Len(t, got.Mutations, 1, name)
		require.Contains(t, got.Mutations[0], "template.spec.containers[0].", name)
	}
}

// TestSubmitted: the hash is that of what the user gave, so that another version may make
// another spec of it. The hash of a version that hashed the spec is understood as well.
func TestSubmitted(t *testing.T) {
	t.Parallel()
	pod := &request().Spec.Template.Spec
	submitted := func(r *jobs.Request) { r.Submitted = pod }
	limited := func(r *jobs.Request) { r.Spec.BackoffLimit = new(int32(0)) }
	for name, there := range map[string]*batchv1.Job{
		"the same version":                build(t, submitted, limited),
		"a version that set other fields": build(t, submitted),
		"a version that hashed the spec":  build(t, limited),
	} {
		there.UID = "live"
		c := newCluster(there)
		got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), changed(submitted, limited))
		require.NoError(t, err, name)
		require.True(t, got.Adopted, name)
		require.Empty(t, got.Drift, name)
	}
	require.Equal(t, identity.Hash(pod), build(t, submitted).Annotations[identity.AnnotationSpecHash])
}
