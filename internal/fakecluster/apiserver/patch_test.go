package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestPatch(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	jobs := c.BatchV1().Jobs(testNamespace)
	job := createJob(t, c, testJob("a"))
	patch := func(pt types.PatchType, body string) error {
		_, err := jobs.Patch(t.Context(), "a", pt, []byte(body), metav1.PatchOptions{})
		return err
	}
	require.NoError(t, patch(types.MergePatchType, `{"metadata":{"annotations":{"k":"v"},"labels":{"app":null}},"spec":{"activeDeadlineSeconds":7}}`))
	require.NoError(t, patch(types.JSONPatchType, `[{"op":"add","path":"/metadata/labels","value":{"l":"1"}}]`))
	require.NoError(t, patch(types.StrategicMergePatchType, `{"metadata":{"finalizers":["example.org/a"]}}`))
	require.NoError(t, patch(types.StrategicMergePatchType, `{"metadata":{"finalizers":["example.org/b"]}}`))
	got, err := jobs.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"k": "v"}, got.Annotations)
	require.Equal(t, map[string]string{"l": "1"}, got.Labels)
	require.ElementsMatch(t, []string{"example.org/a", "example.org/b"}, got.Finalizers)
	require.Equal(t, int64(7), *got.Spec.ActiveDeadlineSeconds)
	require.Equal(t, int64(2), got.Generation)
	require.Equal(t, job.Spec.Template, got.Spec.Template)

	at := s.ResourceVersion()
	requireReason(t, patch(types.MergePatchType, `{"metadata":{"resourceVersion":"1","annotations":{"k":"w"}}}`), metav1.StatusReasonConflict, staleMessage)
	requireReason(t, patch(types.MergePatchType, `{"metadata":{"uid":"another","annotations":{"k":"w"}}}`), metav1.StatusReasonInvalid, "metadata.uid", "field is immutable")
	requireReason(t, patch(types.MergePatchType, `{"metadata":{"name":"b"}}`), metav1.StatusReasonBadRequest)
	requireReason(t, patch(types.MergePatchType, `{`), metav1.StatusReasonBadRequest)
	requireReason(t, patch(types.MergePatchType, `{"spec":{"parallelism":"many"}}`), metav1.StatusReasonInvalid, "patch: Invalid value")
	requireReason(t, patch("text/csv", `{}`), metav1.StatusReasonUnsupportedMediaType, "415: Unsupported Media Type")
	require.Equal(t, at, s.ResourceVersion())
	require.NoError(t, patch(types.MergePatchType, fmt.Sprintf(`{"metadata":{"uid":%q,"resourceVersion":%q,"annotations":{"k":"w"}}}`, got.UID, got.ResourceVersion)))
}

// TestJSONPatchTestOperation: a patch whose test fails changes nothing and returns the
// error of a real API server (jsonPatcher.applyJSPatch of k8s.io/apiserver 0.37).
func TestJSONPatchTestOperation(t *testing.T) {
	t.Parallel()
	s, c := newServer(t)
	jobs := c.BatchV1().Jobs(testNamespace)
	job := createJob(t, c, testJob("a"))
	patch := func(ops string) error {
		_, err := jobs.Patch(t.Context(), "a", types.JSONPatchType, []byte(ops), metav1.PatchOptions{})
		return err
	}
	add := `{"op":"add","path":"/metadata/labels/done","value":"yes"}`
	at := s.ResourceVersion()
	for _, test := range []string{
		`{"op":"test","path":"/metadata/labels/app","value":"b"}`,
		`{"op":"test","path":"/metadata/annotations/absent","value":"b"}`,
		`{"op":"test","path":"/metadata/labels/absent","value":"b"}`,
		`{"op":"remove","path":"/metadata/labels/absent"}`,
		fmt.Sprintf(`{"op":"test","path":"/metadata/resourceVersion","value":%q}`, job.ResourceVersion+"0"),
	} {
		err := patch("[" + test + "," + add + "]")
		var status apierrors.APIStatus
		require.ErrorAs(t, err, &status, test)
		require.EqualValues(t, http.StatusUnprocessableEntity, status.Status().Code)
		require.Equal(t, metav1.StatusReasonInvalid, status.Status().Reason)
		require.Equal(t, "the server rejected our request due to an error in our request", status.Status().Message)
		require.Equal(t, &metav1.StatusDetails{}, status.Status().Details)
	}
	require.Equal(t, at, s.ResourceVersion(), "nothing is written")

	require.NoError(t, patch(fmt.Sprintf(`[
		{"op":"test","path":"/kind","value":"Job"},
		{"op":"test","path":"/metadata/uid","value":%q},
		{"op":"test","path":"/metadata/labels/app","value":"a"},
		{"op":"test","path":"/metadata/labels/done","value":null},
		%s,{"op":"replace","path":"/spec/activeDeadlineSeconds","value":9}]`, job.UID, add)))
	got, err := jobs.Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"app": "a", "done": "yes"}, got.Labels)
	require.EqualValues(t, 9, *got.Spec.ActiveDeadlineSeconds)
	requireReason(t, patch(`{"op":"add"}`), metav1.StatusReasonBadRequest)
}

// TestPartialPatchEqualsWhole: omitting the untouched top-level fields is only an
// optimization.
func TestPartialPatchEqualsWhole(t *testing.T) {
	t.Parallel()
	_, c := newServer(t)
	pod := createPod(t, c, testPod("a"))
	for _, pt := range []types.PatchType{types.MergePatchType, types.StrategicMergePatchType} {
		for _, body := range []string{
			`{"metadata":{"labels":{"a":"b"},"finalizers":["x.io/y"]}}`,
			`{"spec":{"containers":[{"name":"main","image":"i:2"}]},"status":{"message":"m"}}`,
			`{"status":null}`,
		} {
			apply, err := patcher(pt, []byte(body), "")
			require.NoError(t, err)
			partial, _, err := apply(pod)
			require.NoError(t, err)
			top := map[string]json.RawMessage{}
			require.NoError(t, json.Unmarshal([]byte(body), &top))
			for _, name := range []string{"metadata", "spec", "status"} {
				if _, ok := top[name]; !ok {
					top[name] = json.RawMessage(`{}`)
				}
			}
			all, err := json.Marshal(top)
			require.NoError(t, err)
			apply, err = patcher(pt, all, "")
			require.NoError(t, err)
			whole, _, err := apply(pod)
			require.NoError(t, err)
			require.Equal(t, whole, partial, "%s %s", pt, body)
		}
	}
}
