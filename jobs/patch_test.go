package jobs_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/fake"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// patches are the three of them, to go through what they have in common.
func patches(c *jobs.Client) map[string]func(ctx context.Context, name, uid string) error {
	return map[string]func(context.Context, string, string) error{
		"record": func(ctx context.Context, name, uid string) error {
			_, err := c.Record(ctx, "ns", name, typesUID(uid), "", `{"v":1}`)
			return err
		},
		"ttl": func(ctx context.Context, name, uid string) error {
			return c.SetTTL(ctx, "ns", name, typesUID(uid), 60)
		},
		"cancel": func(ctx context.Context, name, uid string) error {
			return c.Cancel(ctx, "ns", name, typesUID(uid))
		},
	}
}

func TestPatches(t *testing.T) {
	t.Parallel()
	for verb, tc := range map[string]struct {
		body   string
		change func(*batchv1.Job)
	}{
		"record": {
			`{"metadata":{"annotations":{"kontinue.cloud/outcome":"{\"v\":1}"},"uid":"live"}}`,
			func(j *batchv1.Job) { j.Annotations[identity.AnnotationRecord] = `{"v":1}` },
		},
		"ttl": {
			`{"metadata":{"uid":"live"},"spec":{"ttlSecondsAfterFinished":60}}`,
			func(j *batchv1.Job) { j.Spec.TTLSecondsAfterFinished = new(int32(60)) },
		},
		"cancel": {
			`{"metadata":{"annotations":{"kontinue.cloud/canceled":"true"},"uid":"live"},"spec":{"activeDeadlineSeconds":1,"parallelism":0,"suspend":false}}`,
			func(j *batchv1.Job) {
				j.Annotations[identity.AnnotationCanceled] = "true"
				j.Spec.ActiveDeadlineSeconds, j.Spec.Parallelism, j.Spec.Suspend = new(int64(1)), new(int32(0)), new(false)
			},
		},
	} {
		c := newCluster(live(t))
		require.NoError(t, patches(jobs.NewClient(c, jobs.Options{}))[verb](t.Context(), build(t).Name, "live"), verb)
		require.Len(t, c.Actions(), 1, "%s: one write and no read", verb)
		require.JSONEq(t, tc.body, string(c.Actions()[0].(ktesting.PatchAction).GetPatch()), verb)

		want := live(t)
		tc.change(want)
		got, err := c.BatchV1().Jobs("ns").Get(t.Context(), want.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want.ObjectMeta, got.ObjectMeta, verb)
		require.Equal(t, want.Spec, got.Spec, verb)
	}
}

func TestPatchErrors(t *testing.T) {
	t.Parallel()
	uidImmutable := apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, "j",
		field.ErrorList{field.Invalid(field.NewPath("metadata", "uid"), "live", "field is immutable")})
	conflict := apierrors.NewConflict(resource, "j", errors.New("the object has been modified"))
	for name, tc := range map[string]struct {
		live    string // UID of the Job that exists; empty for none
		answers []error
		want    []error
		patches int
	}{
		"transient":                {"live", []error{errEOF, errTooMany, errWebhook}, nil, 4},
		"written by two":           {"live", []error{conflict}, nil, 2},
		"deleted":                  {"", nil, []error{jobs.ErrJobDeleted}, 1},
		"replaced, 422":            {"another", []error{uidImmutable}, []error{jobs.ErrJobDeleted, uidImmutable}, 1},
		"replaced, 409":            {"another", []error{conflict}, []error{jobs.ErrJobDeleted, conflict}, 1},
		"deleted after the answer": {"", []error{conflict}, []error{jobs.ErrJobDeleted}, 1},
		"refused":                  {"live", []error{errInvalid}, []error{errInvalid}, 1},
		"denied":                   {"live", []error{errDenied}, []error{errDenied}, 1},
	} {
		for _, verb := range []string{"record", "ttl", "cancel"} {
			synctest.Test(t, func(t *testing.T) {
				c := newCluster()
				if tc.live != "" {
					c = newCluster(live(t, func(j *batchv1.Job) { j.UID = typesUID(tc.live) }))
				}
				c.fail("patch", tc.answers...)
				job := build(t)
				err := patches(jobs.NewClient(c, jobs.Options{}))[verb](t.Context(), job.Name, "live")
				if len(tc.want) == 0 {
					require.NoError(t, err, "%s: %s", verb, name)
				}
				for _, want := range tc.want {
					require.ErrorIs(t, err, want, "%s: %s", verb, name)
					require.ErrorContains(t, err, "patch jobs.batch ns/"+job.Name, "%s: %s", verb, name)
				}
				if len(tc.want) > 0 && !errors.Is(tc.want[0], jobs.ErrJobDeleted) {
					require.NotErrorIs(t, err, jobs.ErrJobDeleted, "%s: %s", verb, name)
				}
				require.Equal(t, tc.patches, c.count("patch"), "%s: %s", verb, name)
			})
		}
	}
}

// TestPatchNeedsUID: the UID of a real Job is in every patch, since without one a
// patch could change the Job that took the name. It is left out only where there is
// none: every API server gives each object a UID, client-go's stock fake does not,
// and a UID that a patch invents would become the fake object's.
func TestPatchNeedsUID(t *testing.T) {
	t.Parallel()
	name := build(t).Name
	for uid, sent := range map[string]bool{"live": true, "ns/other": true, "": false, "ns/" + name: false} {
		for _, verb := range []string{"record", "ttl", "cancel"} {
			c := newCluster(live(t, func(j *batchv1.Job) {
				if !sent {
					j.UID = ""
				}
			}))
			require.NoError(t, patches(jobs.NewClient(c, jobs.Options{}))[verb](t.Context(), name, uid), "%s: %q", verb, uid)
			patch := string(c.Actions()[0].(ktesting.PatchAction).GetPatch())
			require.Equal(t, sent, strings.Contains(patch, `"uid":"`+uid+`"`), "%s: %q: %s", verb, uid, patch)
			require.Equal(t, sent, strings.Contains(patch, `"uid"`), "%s: %q: %s", verb, uid, patch)
		}
	}
	c := newCluster(live(t))
	require.ErrorIs(t, jobs.NewClient(c, jobs.Options{}).SetTTL(t.Context(), "ns", name, "live", -1), jobs.ErrInvalid)
	require.Empty(t, c.Actions())
}

// TestPlainFake: what a user's unit test does with client-go's stock fake, which
// gives no UIDs; the watch package lets namespace/name stand in for them.
func TestPlainFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := fake.NewClientset()
		client := jobs.NewClient(c, jobs.Options{})
		ensured, err := client.Ensure(t.Context(), request())
		require.NoError(t, err)
		name := ensured.Job.Name
		for _, uid := range []types.UID{ensured.Job.UID, types.UID("ns/" + name)} {
			require.NoError(t, client.Cancel(t.Context(), "ns", name, uid))
			require.NoError(t, client.SetTTL(t.Context(), "ns", name, uid, 60))
			outcome, err := client.Record(t.Context(), "ns", name, uid, "", `{"v":1}`)
			require.NoError(t, err)
			require.Equal(t, `{"v":1}`, outcome)
		}
		got, err := client.Get(t.Context(), "ns", name)
		require.NoError(t, err)
		require.Empty(t, got.UID)
		require.Equal(t, new(int32(60)), got.Spec.TTLSecondsAfterFinished)
		marks := identity.MetadataOf(got)
		require.True(t, marks.Canceled)
		require.Equal(t, `{"v":1}`, marks.Record)

		// A conflict is looked at: the Job without a UID is still the same one.
		n := 0
		c.PrependReactor("patch", "jobs", func(ktesting.Action) (bool, runtime.Object, error) {
			n++
			return n == 1, nil, apierrors.NewConflict(resource, name, errors.New("the object has been modified"))
		})
		require.NoError(t, client.SetTTL(t.Context(), "ns", name, types.UID("ns/"+name), 30))
		n = 0
		outcome, err := client.Record(t.Context(), "ns", name, types.UID("ns/"+name), "1", `{"v":2}`)
		require.NoError(t, err)
		require.Equal(t, `{"v":1}`, outcome)
		// And one that is gone is gone.
		require.NoError(t, client.Delete(t.Context(), "ns", name, types.UID("ns/"+name)))
		require.ErrorIs(t, client.SetTTL(t.Context(), "ns", name, types.UID("ns/"+name), 30), jobs.ErrJobDeleted)
	})
}

func TestRecordKeepsTheFirstOutcome(t *testing.T) {
	t.Parallel()
	conflict := apierrors.NewConflict(resource, "j", errors.New("the object has been modified"))
	for name, tc := range map[string]struct {
		there   string // the outcome on the Job when the conflict is looked at
		want    string
		patches int
	}{
		"another worker was first":   {`{"v":1,"first":true}`, `{"v":1,"first":true}`, 1},
		"another field had changed":  {"", `{"v":1}`, 2},
		"its own answer was dropped": {`{"v":1}`, `{"v":1}`, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster(live(t, func(j *batchv1.Job) {
				j.ResourceVersion = "8"
				if tc.there != "" {
					j.Annotations[identity.AnnotationRecord] = tc.there
				}
			}))
			c.fail("patch", conflict)
			got, err := jobs.NewClient(c, jobs.Options{}).Record(t.Context(), "ns", build(t).Name, "live", "7", `{"v":1}`)
			require.NoError(t, err, name)
			require.Equal(t, tc.want, got, name)
			require.Equal(t, tc.patches, c.count("patch"), name)
			stored, err := c.BatchV1().Jobs("ns").Get(t.Context(), build(t).Name, metav1.GetOptions{})
			require.NoError(t, err)
			require.Equal(t, tc.want, stored.Annotations[identity.AnnotationRecord], name)
		})
	}
}
