package flight_test

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/flight"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
	"github.com/kontinue/kontinue/internal/redact"
	"github.com/kontinue/kontinue/pods"
)

// fill sets every text, byte slice and map below v to a needle with its path.
func fill(v reflect.Value, path string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), path)
	case reflect.Struct:
		switch v.Addr().Interface().(type) {
		case *metav1.Time, *metav1.MicroTime, *resource.Quantity:
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(v.Field(i), path+"."+f.Name)
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("needle-" + path))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), path+"[]")
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		value := reflect.New(v.Type().Elem()).Elem()
		fill(value, path+"{}")
		v.SetMapIndex(reflect.ValueOf("key").Convert(v.Type().Key()), value)
	case reflect.String:
		v.SetString("needle-" + path)
	default:
	}
}

// left returns the paths of the needles that are in a text.
func left(t *testing.T, object any) (paths []string) {
	t.Helper()
	text, err := json.Marshal(object)
	require.NoError(t, err)
	for _, part := range strings.Split(string(text), `"`) {
		if path, ok := strings.CutPrefix(part, "needle-"); ok {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// TestNeedles fills every field of what is recorded. What is left is in testdata: no field
// that may be confidential, and none that is new in the API unless it was looked at. Set
// KONTINUE_UPDATE_KEPT to write it.
func TestNeedles(t *testing.T) {
	t.Parallel()
	var all []string
	for _, object := range []any{&batchv1.Job{}, &corev1.Pod{}, &corev1.Secret{}, &corev1.Event{}, &metav1.Status{}} {
		fill(reflect.ValueOf(object).Elem(), "")
		scrubber := flight.NewScrubber()
		scrubber.Scrub(object, nil)
		for _, path := range left(t, object) {
			all = append(all, reflect.TypeOf(object).Elem().Name()+path)
		}
	}
	for _, path := range all {
		for _, hidden := range []string{".Value\n", ".Args", ".Command", ".Data", "Annotations", "Labels", "HTTPGet.Path", ".StringData", "Terminated.Message", "ManagedFields"} {
			require.NotContains(t, path+"\n", hidden)
		}
	}
	text := strings.Join(all, "\n") + "\n"
	const golden = "testdata/kept.txt"
	if os.Getenv("KONTINUE_UPDATE_KEPT") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(text), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), text)
}

// TestEqualTextsStayEqual: a comparison of two objects has the same result.
func TestEqualTextsStayEqual(t *testing.T) {
	t.Parallel()
	s, other := flight.NewScrubber(), flight.NewScrubber()
	word := s.Word("a")
	require.Equal(t, word, s.Word("a"))
	require.NotEqual(t, word, s.Word("b"))
	require.NotEqual(t, s.Word("a"), other.Word("a"), "a text must not be found by trying")
	require.Equal(t, s.Word("a"), s.Word(s.Word("a")), "a replay may be recorded again")
	require.Empty(t, s.Word(""))
	require.Regexp(t, `^removed-[0-9a-f]{16}$`, s.Word("a"))
}

// TestMessages: those of Kubernetes stay, without values of the template; what a container
// has written does not.
func TestMessages(t *testing.T) {
	t.Parallel()
	s := flight.NewScrubber()
	outcome := pods.Outcome{Name: "p", Phase: corev1.PodFailed, Node: "node-of-ours", Message: "evicted with hunter2", Containers: []pods.ContainerOutcome{
		{Name: "c", State: "Terminated", ExitCode: 1, Message: "log line of a program", Previous: &pods.ContainerOutcome{State: "Terminated", Message: "earlier line"}},
		{Name: "d", State: "Waiting", Reason: "ErrImagePull", Message: "429 Too Many Requests for hunter2"},
	}}
	list, _, err := pods.Encode([]pods.Outcome{outcome}, 0)
	require.NoError(t, err)
	text, err := record.Record{Failed: true, Reason: "BackoffLimitExceeded", Message: "it reached hunter2", Created: time.Unix(9, 0), Pods: []byte(list)}.Encode()
	require.NoError(t, err)
	job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{
		identity.AnnotationRecord: text, identity.AnnotationGaveUp: `{"reason":"r","message":"hunter2"}`, "team": "ours",
	}}}
	annotations := job.Annotations
	s.Scrub(job, redact.Secrets{"hunter2"})
	require.Equal(t, "ours", annotations["team"], "the map of the caller is not changed")
	got, err := json.Marshal(job)
	require.NoError(t, err)
	for _, gone := range []string{"hunter2", "log line", "earlier line", "node-of-ours", "ours"} {
		require.NotContains(t, string(got), gone)
	}
	r, err := record.Decode(job.Annotations[identity.AnnotationRecord])
	require.NoError(t, err)
	require.True(t, r.Failed)
	require.Equal(t, time.Unix(9, 0).UTC(), r.Created.UTC())
	outcomes, _, err := pods.Decode(string(r.Pods))
	require.NoError(t, err)
	require.EqualValues(t, 1, outcomes[0].Containers[0].ExitCode)
	require.Contains(t, outcomes[0].Containers[1].Message, "429 Too Many Requests", "a class depends on it")

	for _, unreadable := range []string{"no JSON hunter2", `{"v":99,"x":"hunter2"}`, `{"v":1,"pods":"hunter2"}`} {
		job := &batchv1.Job{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{identity.AnnotationRecord: unreadable}}}
		s.Scrub(job, nil)
		require.NotContains(t, fmt.Sprint(job.Annotations), "hunter2")
		require.Equal(t, record.Readable(unreadable), record.Readable(job.Annotations[identity.AnnotationRecord]))
	}
}
