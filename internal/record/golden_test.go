package record_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/record"
)

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func golden(t testing.TB, name string) string {
	t.Helper()
	return read(t, filepath.Join("testdata", "v1", name+".json"))
}

// goldens are the records of version 1 in testdata, which every later version must read
// in the same way. The pods are those in the file.
var goldens = map[string]struct {
	want    record.Record
	pods    string // where they begin, to the end
	unknown bool   // it has fields that this version does not write
}{
	"success": {
		want: record.Record{
			Version: 1, Reason: "CompletionsReached", Message: "Reached expected number of succeeded pods", SucceededPods: 1,
		},
		pods: `{"v":1,"pods":[{"n":"build-x7x2k-abcde"`,
	},
	"failure": {
		want: record.Record{
			Version: 1, Attempt: 3, Failed: true, Reason: "BackoffLimitExceeded",
			Message: "Job has reached the specified backoff limit", FailedPods: 1,
		},
		pods: `{"v":1,"pods":[{"n":"build-r2-x7x2k-fghij"`,
	},
	"canceled": {
		want: record.Record{
			Version: 1, Attempt: 1, Failed: true, Canceled: true, Reason: "DeadlineExceeded",
			Message: "Job was active longer than specified deadline", SucceededPods: 2, FailedPods: 3, Lost: 5,
		},
		pods: `{"v":1}`,
	},
	"managed": {
		want: record.Record{
			Version: 1, Attempt: 1, Failed: true, Reason: "BackoffLimitExceeded", Message: "Job has reached the specified backoff limit",
			FailedPods: 1, ManagedBy: "kueue.x-k8s.io/multikueue", Created: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
			Ended: time.Date(2026, 1, 1, 1, 0, 0, 0, time.UTC), Seen: time.Date(2026, 1, 1, 1, 0, 1, 0, time.UTC),
		},
		pods: `{"v":1}`,
	},
	"unknown": {
		want: record.Record{
			Version: 1, Attempt: 4, Failed: true, Reason: "BackoffLimitExceeded", Message: `says "attempt": 4 and <more>`, FailedPods: 2,
		},
		pods:    `{"v":1,"pods":[{"n":"p","attempt":9}],"next":[1.50,1e3]}`,
		unknown: true,
	},
}

func TestGoldens(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(filepath.Join("testdata", "v1"))
	require.NoError(t, err)
	require.Len(t, files, len(goldens), "each file has its expected values")
	for name, tc := range goldens {
		text := golden(t, name)
		got, err := record.Decode(text)
		require.NoError(t, err, name)
		require.True(t, record.Readable(text), name)
		require.True(t, strings.HasPrefix(string(got.Pods), tc.pods), "%s: %s", name, got.Pods)
		require.Contains(t, text, `"pods":`+string(got.Pods), "%s: the pods are as they stand there", name)
		want := tc.want
		want.Pods = got.Pods
		require.Equal(t, want, got, name)

		written, err := got.Encode()
		require.NoError(t, err, name)
		if !tc.unknown {
			require.Equal(t, text, written, "%s: this program writes the same", name)
			continue
		}
		again, err := record.Decode(written)
		require.NoError(t, err, name)
		require.Equal(t, want, again, name)
	}
}

func TestEncode(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		record record.Record
		want   string
	}{
		"nothing":         {record.Record{}, `{"v":1,"attempt":0,"pods":null}`},
		"another version": {record.Record{Version: 7, Pods: []byte(`{ "v" : 1 }`)}, `{"v":1,"attempt":0,"pods":{"v":1}}`},
		"everything": {
			record.Record{
				Attempt: 2, Failed: true, Canceled: true, Reason: "r", Message: "m", SucceededPods: 3, FailedPods: 4, Lost: 5, Pods: []byte(`{"v":1}`),
			},
			`{"v":1,"attempt":2,"failed":true,"canceled":true,"reason":"r","message":"m","succeededPods":3,"failedPods":4,"lost":5,"pods":{"v":1}}`,
		},
		"a long message": {
			record.Record{Message: strings.Repeat("x", 1025)}, `{"v":1,"attempt":0,"message":"` + strings.Repeat("x", 1024) + `","pods":null}`,
		},
		"a long reason": {
			record.Record{Reason: strings.Repeat("x", 1025)}, `{"v":1,"attempt":0,"reason":"` + strings.Repeat("x", 1024) + `","pods":null}`,
		},
		"cut within a character": {
			record.Record{Message: strings.Repeat("é", 513)[1:]}, `{"v":1,"attempt":0,"message":"` + strings.Repeat("é", 511) + `","pods":null}`,
		},
	} {
		got, err := tc.record.Encode()
		require.NoError(t, err, name)
		require.Equal(t, tc.want, got, name)
	}
	_, err := record.Record{Pods: []byte(`{"v":`)}.Encode()
	require.Error(t, err)
}

func TestDecodeErrors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "no JSON object",
		"done":                   "no JSON object",
		"[]":                     "no JSON object",
		`"v"`:                    "no JSON object",
		`{"v":1`:                 "no JSON object",
		`{"v":1} {"v":1}`:        "no JSON object",
		`{"v":"1"}`:              "no JSON object",
		"null":                   "has no version",
		"{}":                     "has no version",
		`{"v":0,"attempt":1}`:    "has no version",
		`{"v":-1}`:               "has no version",
		`{"v":1,"attempt":"x"}`:  "cannot be read",
		`{"v":1,"attempt":1.5}`:  "cannot be read",
		`{"v":1,"failed":"yes"}`: "cannot be read",
		`{"v":2,"attempt":1}`:    "later version than this program reads: version 2, not 1",
		`{"v":2,"attempt":"x"}`:  "later version",
	} {
		got, err := record.Decode(text)
		require.ErrorContains(t, err, want, text)
		require.Equal(t, strings.HasPrefix(want, "later"), errors.Is(err, record.ErrNewer), text)
		require.Empty(t, got, text)
		require.False(t, record.Readable(text), text)
	}
}

// FuzzRecord: any text is decoded or rejected, and what is decoded can be written.
func FuzzRecord(f *testing.F) {
	for name := range goldens {
		f.Add(golden(f, name))
	}
	for _, text := range []string{"", "{}", "[]", `["attempt",1]`, `{"attempt":-0}`, `{"v":1,"attempt":1e2,"pods":[]}`, `{"attempt":1`, `{"v":2,"attempt":1}`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		before, err := record.Decode(text)
		if err != nil {
			return
		}
		written, err := before.Encode()
		require.NoError(t, err)
		after, err := record.Decode(written)
		require.NoError(t, err)
		require.Equal(t, before.Attempt, after.Attempt)
	})
}
