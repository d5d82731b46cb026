package jobs_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/jobs"
)

const canary = "s3cret-canary"

var secretsResource = schema.GroupResource{Resource: "secrets"}

// withSecret adds data to a request, and a volume that refers to its keys.
func withSecret(keys ...string) func(*jobs.Request) {
	return func(r *jobs.Request) {
		source := &corev1.SecretVolumeSource{}
		r.SecretData, r.SecretVolume = map[string][]byte{}, "files"
		for _, k := range keys {
			r.SecretData[k] = []byte(canary + k)
			source.Items = append(source.Items, corev1.KeyToPath{Key: k, Path: k})
		}
		r.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "files", VolumeSource: corev1.VolumeSource{Secret: source}}}
	}
}

// answerSecrets lets requests for Secrets of a verb fail, one after the other.
func (c *cluster) answerSecrets(verb string, errs ...error) {
	c.PrependReactor(verb, "secrets", func(ktesting.Action) (bool, runtime.Object, error) {
		if len(errs) == 0 {
			return false, nil, nil
		}
		err := errs[0]
		errs = errs[1:]
		return true, nil, err
	})
}

// secretRequests returns the verbs of the requests for Secrets.
func (c *cluster) secretRequests() (verbs []string) {
	for _, a := range c.Actions() {
		if a.GetResource().Resource == "secrets" {
			verbs = append(verbs, a.GetVerb())
		}
	}
	return verbs
}

// ensure acquires the Job of r and ensures its Secret.
func ensure(ctx context.Context, t *testing.T, c *cluster, r *jobs.Request, o jobs.Options) (jobs.Acquired, time.Time, error) {
	t.Helper()
	client := jobs.NewClient(c, o)
	got, err := acquire(ctx, client, r)
	require.NoError(t, err)
	created, err := client.EnsureSecret(ctx, r, got)
	return got, created, err
}

func getSecret(t *testing.T, c *cluster, got jobs.Acquired) *corev1.Secret {
	t.Helper()
	secret, err := c.Tracker().Get(corev1.SchemeGroupVersion.WithResource("secrets"), "ns", got.Run.Name+"-files")
	require.NoError(t, err)
	return secret.(*corev1.Secret)
}

func TestEnsureSecretCreates(t *testing.T) {
	t.Parallel()
	c := newCluster()
	r := changed(withSecret("a", "b"))
	got, _, err := ensure(t.Context(), t, c, r, jobs.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"create"}, c.secretRequests(), "one write and no read")
	secret := getSecret(t, c, got)
	require.Equal(t, r.SecretData, secret.Data)
	require.Equal(t, new(true), secret.Immutable)
	require.Equal(t, got.Job.Labels, secret.Labels)
	require.Equal(t, []metav1.OwnerReference{{
		APIVersion: "batch/v1", Kind: "Job", Name: got.Run.Name, UID: got.Run.UID, Controller: new(true),
	}}, secret.OwnerReferences)
	require.Equal(t, secret.Name, got.Job.Spec.Template.Spec.Volumes[0].Secret.SecretName)
	require.NotContains(t, fmt.Sprintf("%+v", got.Job), canary)
	require.Empty(t, r.Spec.Template.Spec.Volumes[0].Secret.SecretName, "the request is not changed")

	// A resume finds it, and one whose worker ended between the two creates makes it.
	_, _, err = ensure(t.Context(), t, c, r, jobs.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"create", "get"}, c.secretRequests())
	require.NoError(t, c.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("secrets"), "ns", secret.Name))
	_, _, err = ensure(t.Context(), t, c, r, jobs.Options{})
	require.NoError(t, err)
	require.Equal(t, secret, getSecret(t, c, got))
}

// TestEnsureSecretReturnsItsCreation, by the clock of the cluster.
func TestEnsureSecretReturnsItsCreation(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	c := newCluster()
	c.PrependReactor("create", "secrets", func(a ktesting.Action) (bool, runtime.Object, error) {
		a.(ktesting.CreateAction).GetObject().(*corev1.Secret).CreationTimestamp = metav1.NewTime(at)
		return false, nil, nil
	})
	for range 2 { // it creates it, and finds it
		_, created, err := ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{})
		require.NoError(t, err)
		require.True(t, at.Equal(created), created)
	}
}

// TestEnsureSecretNeedsNone: without data, or when the run has ended.
func TestEnsureSecretNeedsNone(t *testing.T) {
	t.Parallel()
	c := newCluster()
	client := jobs.NewClient(c, jobs.Options{})
	for name, run := range map[string]jobs.Run{"recorded": {Recorded: true}, "terminal": {Terminal: true}, "deleting": {Deleting: true}} {
		_, err := client.EnsureSecret(t.Context(), changed(withSecret("a")), jobs.Acquired{Run: run})
		require.NoError(t, err, name)
	}
	_, err := client.EnsureSecret(t.Context(), request(), jobs.Acquired{})
	require.NoError(t, err)
	require.Empty(t, c.Actions())
}

// TestEnsureSecretRetries: the Secret is looked up after each lost response.
func TestEnsureSecretRetries(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		create, get []error
		requests    []string
	}{
		"lost response":  {create: []error{errEOF}, requests: []string{"create", "get", "create"}},
		"no look either": {create: []error{errEOF}, get: []error{errEOF}, requests: []string{"create", "get", "get", "create"}},
		"overloaded":     {create: []error{apierrors.NewTooManyRequests("later", 1)}, requests: []string{"create", "create"}},
		"taken and gone": {create: []error{apierrors.NewAlreadyExists(secretsResource, "x")}, requests: []string{"create", "get", "create"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster()
			c.answerSecrets("create", tc.create...)
			c.answerSecrets("get", tc.get...)
			got, _, err := ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{})
			require.NoError(t, err, name)
			require.Equal(t, tc.requests, c.secretRequests(), name)
			getSecret(t, c, got)
		})
	}
}

// TestEnsureSecretFindsItsOwn: the response to a create that took effect was lost.
func TestEnsureSecretFindsItsOwn(t *testing.T) {
	t.Parallel()
	c := newCluster()
	lost := false
	c.PrependReactor("create", "secrets", func(a ktesting.Action) (bool, runtime.Object, error) {
		if lost {
			return false, nil, nil
		}
		lost = true
		require.NoError(t, c.Tracker().Add(a.(ktesting.CreateAction).GetObject()))
		return true, nil, errEOF
	})
	_, _, err := ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"create", "get"}, c.secretRequests())
}

// TestEnsureSecretConflict: the Secret of another owner is not touched.
func TestEnsureSecretConflict(t *testing.T) {
	t.Parallel()
	job := build(t, withSecret("a"))
	owner := func(kind, name string) []metav1.OwnerReference {
		return []metav1.OwnerReference{{Kind: kind, Name: name, UID: "other", Controller: new(true)}}
	}
	for name, owners := range map[string][]metav1.OwnerReference{
		"no owner": nil, "another job": owner("Job", "another"), "another kind": owner("CronJob", job.Name),
	} {
		foreign := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: job.Name + "-files", OwnerReferences: owners}}
		c := newCluster(foreign.DeepCopy())
		got, _, err := ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{})
		require.ErrorIs(t, err, jobs.ErrNameConflict, name)
		require.Equal(t, foreign, getSecret(t, c, got), name)
	}
}

// TestEnsureSecretOfDeletedJob is waited out: the Job was deleted, and created again.
func TestEnsureSecretOfDeletedJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		job := build(t, withSecret("a"))
		old := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: job.Name + "-files", OwnerReferences: []metav1.OwnerReference{
			{Kind: "Job", Name: job.Name, UID: "earlier", Controller: new(true)},
		}}}
		c := newCluster(old)
		time.AfterFunc(20*time.Second, func() {
			_ = c.Tracker().Delete(corev1.SchemeGroupVersion.WithResource("secrets"), "ns", old.Name)
		})
		got, _, err := ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{})
		require.NoError(t, err)
		require.Equal(t, got.Run.UID, getSecret(t, c, got).OwnerReferences[0].UID)

		c = newCluster(old)
		_, _, err = ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{RetryFor: time.Minute})
		require.ErrorContains(t, err, "is that of a deleted job")
		require.NotErrorIs(t, err, jobs.ErrNameConflict)
	})
}

// TestEnsureSecretOfOtherData: a Job never gets contents that it was not made for.
func TestEnsureSecretOfOtherData(t *testing.T) {
	t.Parallel()
	c := newCluster()
	r := changed(withSecret("old"))
	got, err := acquire(t.Context(), jobs.NewClient(c, jobs.Options{}), r)
	require.NoError(t, err)

	var logged bytes.Buffer
	_, created, err := ensure(t.Context(), t, c, changed(withSecret("new")), jobs.Options{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	require.NoError(t, err)
	require.Zero(t, created)
	require.Equal(t, []string{"get"}, c.secretRequests())
	require.Contains(t, logged.String(), "made for other files")

	// Another spec with the same files is completed.
	_, _, err = ensure(t.Context(), t, c, changed(withSecret("old"), func(r *jobs.Request) { r.Spec.Template.Spec.Containers[0].Image = "other" }), jobs.Options{})
	require.NoError(t, err)
	getSecret(t, c, got)
}

// TestEnsureSecretForbidden: the error names the right and the Role, and the Job stays.
func TestEnsureSecretForbidden(t *testing.T) {
	t.Parallel()
	forbidden := func(verb string) error {
		err := apierrors.NewForbidden(secretsResource, "", fmt.Errorf(`User "w" cannot %s resource "secrets" in API group "" in the namespace "ns"`, verb))
		err.ErrStatus.Message = fmt.Sprintf(`secrets is forbidden: User "w" cannot %s resource "secrets" in API group "" in the namespace "ns"`, verb)
		return err
	}
	c := newCluster()
	c.answerSecrets("create", forbidden("create"))
	c.answerSecrets("get", forbidden("get"))
	got, _, err := ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
	for _, want := range []string{"grant verb create on secrets in namespace ns", "deploy/rbac-optional.yaml", "job ns/" + got.Run.Name + " exists", "a resume creates"} {
		require.ErrorContains(t, err, want)
	}
	require.Equal(t, []string{"create", "get"}, c.secretRequests())
	_, _, err = ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{})
	require.NoError(t, err, "a resume")
}

// TestEnsureSecretQuotesNothing: neither errors nor logs have a part of the data, whatever
// the API server says.
func TestEnsureSecretQuotesNothing(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]error{
		"decoder":  apierrors.NewBadRequest("cannot decode: ...|" + canary + "|..."),
		"webhook":  apierrors.NewForbidden(secretsResource, "x", errors.New(`admission webhook "w" denied the request: `+canary)),
		"internal": apierrors.NewInternalError(errors.New(canary)),
		"status":   &apierrors.StatusError{ErrStatus: metav1.Status{Code: 503, Reason: canary, Message: canary}},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster()
			c.PrependReactor("create", "secrets", func(ktesting.Action) (bool, runtime.Object, error) { return true, nil, answer })
			var logged bytes.Buffer
			log := slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
			_, _, err := ensure(t.Context(), t, c, changed(withSecret("a")), jobs.Options{Logger: log, RetryFor: time.Second})
			require.Error(t, err, name)
			for ; err != nil; err = errors.Unwrap(err) {
				require.NotContains(t, err.Error(), canary, name)
			}
			require.NotContains(t, logged.String(), canary, name)
		})
	}
}

// TestEnsureSecretEndsWithContext and says that a resume creates it.
func TestEnsureSecretEndsWithContext(t *testing.T) {
	t.Parallel()
	c := newCluster()
	ctx, cancel := context.WithCancel(t.Context())
	c.PrependReactor("create", "secrets", func(ktesting.Action) (bool, runtime.Object, error) {
		cancel()
		return true, nil, errEOF
	})
	_, _, err := ensure(ctx, t, c, changed(withSecret("a")), jobs.Options{})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "a resume creates")
}
