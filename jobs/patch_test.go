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

// patches are all kinds of patches, to test what they have in common.
func patches(c *jobs.Client) map[string]func(ctx context.Context, name, uid string) error {
	return map[string]func(context.Context, string, string) error{
		"record": func(ctx context.Context, name, uid string) error {
			_, _, err := c.SaveRecord(ctx, "ns", name, typesUID(uid), `{"v":1}`, nil)
			return err
		},
		"unlabel": func(ctx context.Context, name, uid string) error {
			return c.Unlabel(ctx, "ns", name, typesUID(uid))
		},
		"ttl": func(ctx context.Context, name, uid string) error {
			return c.Retire(ctx, "ns", name, typesUID(uid), new(int32(60)), nil)
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
			`[{"op":"test","path":"/metadata/uid","value":"live"},` +
				`{"op":"test","path":"/metadata/annotations/kontinue.cloud~1outcome","value":null},` +
				`{"op":"add","path":"/metadata/annotations/kontinue.cloud~1outcome","value":"{\"v\":1}"},` +
				`{"op":"add","path":"/metadata/labels/kontinue.cloud~1recorded","value":"true"}]`,
			func(j *batchv1.Job) {
				j.Annotations[identity.AnnotationRecord], j.Labels[identity.LabelRecorded] = `{"v":1}`, "true"
			},
		},
		"unlabel": {
			`{"metadata":{"labels":{"kontinue.cloud/recorded":null},"uid":"live"}}`,
			func(*batchv1.Job) {},
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
		sent := c.Actions()[0].(ktesting.PatchAction)
		require.Equal(t, tc.body, string(sent.GetPatch()), verb)
		kind := types.MergePatchType
		if verb == "record" {
			kind = types.JSONPatchType
		}
		require.Equal(t, kind, sent.GetPatchType(), verb)

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
		records int // patches of SaveRecord, if another number
	}{
		"transient":                {"live", []error{errEOF, errTooMany, errWebhook}, nil, 4, 0},
		"written by two":           {"live", []error{conflict}, nil, 2, 0},
		"deleted":                  {"", nil, []error{jobs.ErrJobDeleted}, 1, 0},
		"replaced, 422":            {"another", []error{uidImmutable}, []error{jobs.ErrJobDeleted, uidImmutable}, 1, 0},
		"replaced, 409":            {"another", []error{conflict}, []error{jobs.ErrJobDeleted, conflict}, 1, 0},
		"deleted after the answer": {"", []error{conflict}, []error{jobs.ErrJobDeleted}, 1, 0},
		// The first 422 may say that there is a record, or nothing to add one to.
		"refused": {"live", []error{errInvalid, errInvalid}, []error{errInvalid}, 1, 2},
		"denied":  {"live", []error{errDenied}, []error{errDenied}, 1, 0},
	} {
		for _, verb := range []string{"record", "unlabel", "ttl", "cancel"} {
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
				patches := tc.patches
				if verb == "record" && tc.records > 0 {
					patches = tc.records
				}
				require.Equal(t, patches, c.count("patch"), "%s: %s", verb, name)
			})
		}
	}
}

// TestPatchNeedsUID: every patch contains the UID of a real Job, since it could otherwise
// change another Job with the name. It is omitted only if there is none: every API server
// sets a UID, but client-go's fake does not, and a UID in a patch would become the fake
// object's.
func TestPatchNeedsUID(t *testing.T) {
	t.Parallel()
	name := build(t).Name
	for uid, sent := range map[string]bool{"live": true, "ns/other": true, "": false, "ns/" + name: false} {
		for _, verb := range []string{"record", "unlabel", "ttl", "cancel"} {
			c := newCluster(live(t, func(j *batchv1.Job) {
				j.UID = typesUID(uid)
				if !sent {
					j.UID = ""
				}
			}))
			require.NoError(t, patches(jobs.NewClient(c, jobs.Options{}))[verb](t.Context(), name, uid), "%s: %q", verb, uid)
			patch := string(c.Actions()[0].(ktesting.PatchAction).GetPatch())
			want := `"uid":"` + uid + `"`
			if verb == "record" {
				want = `{"op":"test","path":"/metadata/uid","value":"` + uid + `"}`
			}
			require.Equal(t, sent, strings.Contains(patch, want), "%s: %q: %s", verb, uid, patch)
			require.Equal(t, sent, strings.Contains(patch, "uid"), "%s: %q: %s", verb, uid, patch)
		}
	}
	c := newCluster(live(t))
	require.ErrorIs(t, jobs.NewClient(c, jobs.Options{}).Retire(t.Context(), "ns", name, "live", new(int32(-1)), nil), jobs.ErrInvalid)
	require.Empty(t, c.Actions())
}

// TestPlainFake: a user's unit test with client-go's fake, which sets no UIDs. Package
// watch uses namespace/name instead.
func TestPlainFake(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := fake.NewClientset()
		client := jobs.NewClient(c, jobs.Options{})
		acquired, err := acquire(t.Context(), client, request())
		require.NoError(t, err)
		name := acquired.Run.Name
		require.Equal(t, types.UID("ns/"+name), acquired.Run.UID)
		for _, uid := range []types.UID{acquired.Job.UID, acquired.Run.UID} {
			require.NoError(t, client.Cancel(t.Context(), "ns", name, uid))
			require.NoError(t, client.Retire(t.Context(), "ns", name, uid, new(int32(60)), nil))
			stored, _, err := client.SaveRecord(t.Context(), "ns", name, uid, `{"v":1}`, nil)
			require.NoError(t, err)
			require.Equal(t, `{"v":1}`, stored)
		}
		got, err := client.Get(t.Context(), "ns", name)
		require.NoError(t, err)
		require.Empty(t, got.UID)
		require.Equal(t, new(int32(60)), got.Spec.TTLSecondsAfterFinished)
		metadata := identity.MetadataOf(got)
		require.True(t, metadata.Canceled)
		require.True(t, metadata.RecordedLabel)
		require.Equal(t, `{"v":1}`, metadata.Record)

		// After a conflict the Job is read: without a UID it is still the same one.
		n := 0
		c.PrependReactor("patch", "jobs", func(ktesting.Action) (bool, runtime.Object, error) {
			n++
			return n == 1, nil, apierrors.NewConflict(resource, name, errors.New("the object has been modified"))
		})
		require.NoError(t, client.Retire(t.Context(), "ns", name, types.UID("ns/"+name), new(int32(30)), nil))
		n = 0
		stored, _, err := client.SaveRecord(t.Context(), "ns", name, types.UID("ns/"+name), `{"v":1,"attempt":2}`, nil)
		require.NoError(t, err)
		require.Equal(t, `{"v":1}`, stored)
		// One that cannot be read is replaced, where Jobs have no resourceVersion too.
		got.Annotations[identity.AnnotationRecord] = "none"
		require.NoError(t, c.Tracker().Update(jobsResource, got, "ns"))
		stored, _, err = client.SaveRecord(t.Context(), "ns", name, types.UID("ns/"+name), `{"v":1,"attempt":2}`, nil)
		require.NoError(t, err)
		require.Equal(t, `{"v":1,"attempt":2}`, stored)
		// It is adopted with the stand-in, and not mistaken for a run without a record.
		again, err := acquire(t.Context(), client, request())
		require.NoError(t, err)
		require.Equal(t, types.UID("ns/"+name), again.Run.UID)
		require.True(t, again.Run.Recorded)
		require.NoError(t, client.Unlabel(t.Context(), "ns", name, again.Run.UID))
		// And one that is gone is gone.
		require.NoError(t, client.Delete(t.Context(), "ns", name, types.UID("ns/"+name)))
		require.ErrorIs(t, client.Retire(t.Context(), "ns", name, types.UID("ns/"+name), new(int32(30)), nil), jobs.ErrJobDeleted)
	})
}
