package jobs_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ktesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// The records that this test writes, and those that may already be there.
const (
	mine       = `{"v":1,"attempt":0,"pods":null}`
	others     = `{"v":1,"attempt":0,"failed":true,"pods":null}`
	unreadable = `{"v":1,"attempt":`
	newer      = `{"v":2,"attempt":0,"more":true}`
)

func save(ctx context.Context, c *cluster) (string, error) {
	stored, _, err := jobs.NewClient(c, jobs.Options{RetryFor: time.Minute}).SaveRecord(ctx, "ns", jobName, "live", mine, nil)
	return stored, err
}

var jobName = identity.JobName(request().Execution, "helm", 0)

// TestSaveRecord: the first readable record stands, in any state of the Job.
func TestSaveRecord(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		change  func(*batchv1.Job)
		want    string
		label   bool // is on the Job then
		patches int
		gets    int
	}{
		"none":                        {func(*batchv1.Job) {}, mine, true, 1, 0},
		"another worker was first":    {withRecord(others), others, true, 1, 1},
		"its own":                     {withRecord(mine), mine, true, 1, 1},
		"not readable":                {withRecord(unreadable), mine, true, 2, 1},
		"no JSON":                     {withRecord("done"), mine, true, 2, 1},
		"empty":                       {withRecord(""), mine, true, 2, 1},
		"no version":                  {withRecord(`{"attempt":0,"pods":null}`), mine, true, 2, 1},
		"of a later version":          {withRecord(newer), newer, true, 1, 1},
		"a label, and no record":      {func(j *batchv1.Job) { j.Labels[identity.LabelRecorded] = "true" }, mine, true, 1, 0},
		"a record, and no label":      {func(j *batchv1.Job) { j.Annotations[identity.AnnotationRecord] = others }, others, false, 1, 1},
		"no annotations":              {func(j *batchv1.Job) { j.Annotations = nil }, mine, true, 2, 1},
		"no labels":                   {func(j *batchv1.Job) { j.Labels = nil }, mine, true, 2, 1},
		"neither":                     {func(j *batchv1.Job) { j.Labels, j.Annotations = nil, nil }, mine, true, 2, 1},
		"no labels, another's record": {func(j *batchv1.Job) { withRecord(others)(j); j.Labels = nil }, others, false, 1, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			there := live(t, tc.change, func(j *batchv1.Job) { j.ResourceVersion = "7" })
			c := newServer(0, there)
			got, err := save(t.Context(), c)
			require.NoError(t, err, name)
			require.Equal(t, tc.want, got, name)
			require.Equal(t, []int{tc.patches, tc.gets}, c.counts("patch", "get"), name)

			stored, err := c.BatchV1().Jobs("ns").Get(t.Context(), jobName, metav1.GetOptions{})
			require.NoError(t, err, name)
			require.Equal(t, tc.want, stored.Annotations[identity.AnnotationRecord], name)
			require.Equal(t, tc.label, stored.Labels[identity.LabelRecorded] == "true", name)
			// Nothing else of the Job has changed.
			delete(stored.Annotations, identity.AnnotationRecord)
			delete(stored.Labels, identity.LabelRecorded)
			delete(there.Annotations, identity.AnnotationRecord)
			delete(there.Labels, identity.LabelRecorded)
			require.Len(t, stored.Annotations, len(there.Annotations), name)
			require.Len(t, stored.Labels, len(there.Labels), name)
			require.Equal(t, there.Spec, stored.Spec, name)
		})
	}
}

// TestSaveRecordReplaces: the patch that replaces an unreadable record fails if the Job has
// changed meanwhile, and the Job is read again.
func TestSaveRecordReplaces(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		meanwhile func(*batchv1.Job)
		want      string
		patches   int
	}{
		"nothing":                 {func(j *batchv1.Job) { j.ResourceVersion = "7" }, mine, 2},
		"the status has changed":  {func(j *batchv1.Job) { j.ResourceVersion = "8" }, mine, 3},
		"another worker replaced": {func(j *batchv1.Job) { withRecord(others)(j); j.ResourceVersion = "8" }, others, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newServer(0, live(t, withRecord(unreadable), func(j *batchv1.Job) { j.ResourceVersion = "7" }))
			var sent []string
			c.answer("patch", func(n int, a ktesting.Action) error {
				sent = append(sent, string(a.(ktesting.PatchAction).GetPatch()))
				if n == 2 {
					return c.update(jobName, tc.meanwhile)
				}
				return nil
			})
			got, err := save(t.Context(), c)
			require.NoError(t, err, name)
			require.Equal(t, tc.want, got, name)
			require.Len(t, sent, tc.patches, name)
			require.JSONEq(t, `{"metadata":{"uid":"live","resourceVersion":"7","labels":{"kontinue.cloud/recorded":"true"},
				"annotations":{"kontinue.cloud/outcome":"{\"v\":1,\"attempt\":0,\"pods\":null}"}}}`, sent[1], name)
		})
	}
}

// TestSaveRecordAnswers: if the response does not show whether the patch took effect, the
// Job is read, unless an overloaded server has not processed the patch.
func TestSaveRecordAnswers(t *testing.T) {
	t.Parallel()
	conflict := apierrors.NewConflict(resource, "j", errors.New("the object has been modified"))
	for name, tc := range map[string]struct {
		patches, gets []error
		commits       bool // the first patch takes effect anyway
		want          error
		sent          [2]int // patches and gets
	}{
		"429":                               {patches: []error{errTooMany, errTooMany}, sent: [2]int{3, 0}},
		"429 of a webhook":                  {patches: []error{errBusyHook}, sent: [2]int{2, 1}},
		"lost":                              {patches: []error{errEOF}, sent: [2]int{2, 1}},
		"lost, and had taken effect":        {patches: []error{errEOF}, commits: true, sent: [2]int{1, 1}},
		"webhook down, had taken effect":    {patches: []error{errWebhook}, commits: true, sent: [2]int{1, 1}},
		"lost, and the read as well":        {patches: []error{errEOF}, gets: []error{errTimeout}, sent: [2]int{2, 1}},
		"the same, and had taken effect":    {patches: []error{errEOF}, gets: []error{errTimeout}, commits: true, sent: [2]int{2, 2}},
		"written by two":                    {patches: []error{conflict}, sent: [2]int{2, 1}},
		"403":                               {patches: []error{errDenied}, want: errDenied, sent: [2]int{1, 1}},
		"403, and there is a record":        {patches: []error{errDenied}, commits: true, sent: [2]int{1, 1}},
		"403 for both":                      {patches: []error{errRBAC}, gets: []error{errRBACGet}, want: errRBAC, sent: [2]int{1, 1}},
		"lost, and must not be read":        {patches: []error{errEOF}, gets: []error{errRBACGet}, want: errRBACGet, sent: [2]int{1, 1}},
		"too large":                         {patches: []error{errTooLarge}, want: errTooLarge, sent: [2]int{1, 1}},
		"422 that is about something else":  {patches: []error{errInvalid, errInvalid}, want: errInvalid, sent: [2]int{2, 3}},
		"422 of a policy after a lost call": {patches: []error{errEOF, errInvalid}, want: errInvalid, sent: [2]int{2, 3}},
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newServer(0, live(t))
			c.fail("get", tc.gets...)
			c.answer("patch", func(n int, _ ktesting.Action) error {
				if n == 1 && tc.commits {
					require.NoError(t, c.update(jobName, withRecord(mine)))
				}
				if n <= len(tc.patches) {
					return tc.patches[n-1]
				}
				return nil
			})
			got, err := save(t.Context(), c)
			if tc.want == nil {
				require.NoError(t, err, name)
				require.Equal(t, mine, got, name)
			} else {
				require.ErrorIs(t, err, tc.want, name)
				require.ErrorIs(t, err, tc.patches[len(tc.patches)-1], name)
				require.NotErrorIs(t, err, jobs.ErrJobDeleted, name)
				require.Empty(t, got, name)
			}
			require.Equal(t, tc.sent[:], c.counts("patch", "get"), name)
		})
	}
}

// TestSaveRecordGone: the record of one Job is never written to another one.
func TestSaveRecordGone(t *testing.T) {
	t.Parallel()
	for name, there := range map[string]func(*batchv1.Job){
		"another Job":                   func(*batchv1.Job) {},
		"another Job with a record":     withRecord(others),
		"another Job, not readable":     withRecord(unreadable),
		"another Job, no annotations":   func(j *batchv1.Job) { j.Annotations = nil },
		"replaced between two requests": nil,
		"none":                          nil,
	} {
		synctest.Test(t, func(t *testing.T) {
			c := newServer(0)
			want := ""
			switch {
			case name == "replaced between two requests":
				c = newServer(0, live(t, withRecord(unreadable)))
				c.answer("patch", func(n int, _ ktesting.Action) error {
					if n == 2 {
						return c.update(jobName, func(j *batchv1.Job) { j.UID = "another" })
					}
					return nil
				})
				want = unreadable
			case there != nil:
				job := live(t, there, func(j *batchv1.Job) { j.UID = "another" })
				c, want = newServer(0, job), job.Annotations[identity.AnnotationRecord]
			}
			start := time.Now()
			_, err := save(t.Context(), c)
			require.ErrorIs(t, err, jobs.ErrJobDeleted, name)
			require.ErrorContains(t, err, "patch jobs.batch ns/"+jobName, name)
			require.Less(t, time.Since(start), time.Second, name)
			for _, job := range c.jobsNow() {
				require.Equal(t, want, job.Annotations[identity.AnnotationRecord], name)
			}
		})
	}
}

// TestSaveRecordByTwo: both get the record of the one that was first.
func TestSaveRecordByTwo(t *testing.T) {
	t.Parallel()
	c := newServer(0, live(t))
	type result struct {
		stored string
		err    error
	}
	results := make(chan result, 2)
	for _, text := range []string{mine, others} {
		go func() {
			stored, _, err := jobs.NewClient(c, jobs.Options{}).SaveRecord(t.Context(), "ns", jobName, "live", text, nil)
			results <- result{stored, err}
		}()
	}
	a, b := <-results, <-results
	require.NoError(t, errors.Join(a.err, b.err))
	require.Equal(t, a.stored, b.stored)
	require.Equal(t, a.stored, c.jobsNow()[0].Annotations[identity.AnnotationRecord])
}
