package jobs_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// TestUpdateRecord: the change applies to the record that is on the Job at the time of the
// write.
func TestUpdateRecord(t *testing.T) {
	t.Parallel()
	conflict := apierrors.NewConflict(resource, "j", errors.New("the object has been modified"))
	refuses := errors.New("cannot be updated")
	for name, tc := range map[string]struct {
		gets, patches []error // the first answers
		live          string  // UID of the Job that exists; empty for none
		there         string  // its record
		other         string  // what another worker changes it to before the first patch
		want          string  // the final record
		err           error
		sent          [2]int // gets and patches
	}{
		"undisturbed":              {live: "live", there: "a", want: "a+", sent: [2]int{1, 1}},
		"nothing to change":        {live: "live", there: "a+", want: "a+", sent: [2]int{1, 0}},
		"nothing recorded":         {live: "live", sent: [2]int{1, 0}},
		"refused by the caller":    {live: "live", there: "bad", want: "bad", err: refuses, sent: [2]int{1, 0}},
		"written by two":           {patches: []error{conflict}, live: "live", there: "a", other: "b", want: "b+", sent: [2]int{3, 2}},
		"another did it":           {patches: []error{conflict}, live: "live", there: "a", other: "a+", want: "a+", sent: [2]int{3, 1}},
		"transient":                {[]error{errWebhook, errEOF}, []error{errTooMany, errEOF}, "live", "a", "", "a+", nil, [2]int{5, 3}},
		"refused by the server":    {patches: []error{errDenied}, live: "live", there: "a", want: "a", err: errDenied, sent: [2]int{1, 1}},
		"may not be read":          {gets: []error{errRBACGet}, live: "live", there: "a", want: "a", err: errRBACGet, sent: [2]int{1, 0}},
		"deleted":                  {err: jobs.ErrJobDeleted, sent: [2]int{1, 0}},
		"replaced":                 {live: "another", there: "a", want: "a", err: jobs.ErrJobDeleted, sent: [2]int{1, 0}},
		"deleted before the write": {patches: []error{errNotFound}, live: "live", there: "a", want: "a", err: jobs.ErrJobDeleted, sent: [2]int{1, 1}},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newCluster()
			job := build(t)
			if tc.live != "" {
				c = newCluster(live(t, func(j *batchv1.Job) {
					j.UID, j.ResourceVersion, j.Annotations[identity.AnnotationRecord] = typesUID(tc.live), "7", tc.there
				}))
			}
			var versions []string
			c.answer("get", func(n int, _ ktesting.Action) error {
				if n <= len(tc.gets) {
					return tc.gets[n-1]
				}
				return nil
			})
			c.answer("patch", func(n int, a ktesting.Action) error {
				versions = append(versions, string(a.(ktesting.PatchAction).GetPatch()))
				if n == 1 && tc.other != "" {
					changed := live(t, func(j *batchv1.Job) {
						j.ResourceVersion, j.Annotations[identity.AnnotationRecord] = "8", tc.other
					})
					require.NoError(t, c.Tracker().Update(a.GetResource(), changed, "ns"))
				}
				if n <= len(tc.patches) {
					return tc.patches[n-1]
				}
				return nil
			})
			err := jobs.NewClient(c, jobs.Options{}).UpdateRecord(t.Context(), "ns", job.Name, "live", func(there string) (string, error) {
				require.NotEmpty(t, there, name)
				switch there {
				case "bad":
					return "worse", refuses
				case "a+", "b+":
					return there, nil
				}
				return there + "+", nil
			})
			if tc.err == nil {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, tc.err, name)
			}
			require.Equal(t, errors.Is(tc.err, jobs.ErrJobDeleted), errors.Is(err, jobs.ErrJobDeleted), name)
			sent := [2]int{c.count("get"), c.count("patch")}
			require.Equal(t, tc.sent, sent, name)
			for i, body := range versions {
				want := `"resourceVersion":"7"`
				if i > 0 && tc.other != "" {
					want = `"resourceVersion":"8"`
				}
				require.Contains(t, body, want, "%s: a compare-and-swap", name)
				require.Contains(t, body, `"uid":"live"`, name)
			}
			if tc.live != "" {
				stored, err := c.Tracker().Get(batchv1.SchemeGroupVersion.WithResource("jobs"), "ns", job.Name, metav1.GetOptions{})
				require.NoError(t, err, name)
				require.Equal(t, tc.want, stored.(*batchv1.Job).Annotations[identity.AnnotationRecord], name)
			}
		})
	}
}

// TestUpdateRecordOnPlainFake: client-go's stock fake gives no UIDs and no versions.
func TestUpdateRecordOnPlainFake(t *testing.T) {
	t.Parallel()
	c := newCluster(live(t, func(j *batchv1.Job) { j.UID, j.Annotations[identity.AnnotationRecord] = "", "a" }))
	name := build(t).Name
	change := func(string) (string, error) { return "b", nil }
	require.NoError(t, jobs.NewClient(c, jobs.Options{}).UpdateRecord(t.Context(), "ns", name, typesUID("ns/"+name), change))
	got, err := c.BatchV1().Jobs("ns").Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Empty(t, got.UID)
	require.Equal(t, "b", got.Annotations[identity.AnnotationRecord])
}
