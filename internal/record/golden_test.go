package record_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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

// FuzzRecord: any text is decoded or rejected, and Restamp only changes the attempt.
func FuzzRecord(f *testing.F) {
	for name := range goldens {
		f.Add(golden(f, name), 5)
	}
	for _, text := range []string{"", "{}", "[]", `["attempt",1]`, `{"attempt":-0}`, `{"v":1,"attempt":1e2,"pods":[]}`, `{"attempt":1`, `{"v":2,"attempt":1}`} {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, attempt int) {
		before, invalid := record.Decode(text)
		if invalid == nil {
			written, err := before.Encode()
			require.NoError(t, err)
			_, err = record.Decode(written)
			require.NoError(t, err)
		}
		got, err := record.Restamp(text, attempt)
		if err != nil {
			require.Equal(t, text, got)
			return
		}
		requireOnlyNumberChanged(t, text, got, attempt)
		after, err := record.Decode(got)
		require.Equal(t, invalid == nil, err == nil, "%s -> %s", text, got)
		if invalid != nil || len(attempts(text)) != 1 {
			return
		}
		require.Equal(t, max(before.Attempt, attempt), after.Attempt, text)
		after.Attempt = before.Attempt
		require.Equal(t, before, after)
		again, err := record.Restamp(got, attempt)
		require.NoError(t, err)
		require.Equal(t, got, again)
	})
}

// attempts are the keys at the top that Decode takes for the attempt: it does not mind
// the case, and of several the last one counts.
func attempts(text string) (keys []string) {
	fields := json.NewDecoder(strings.NewReader(text))
	_, err := fields.Token()
	for err == nil && fields.More() {
		var key json.Token
		if key, err = fields.Token(); err != nil {
			break
		}
		if k, ok := key.(string); ok && strings.EqualFold(k, "attempt") {
			keys = append(keys, k)
		}
		var value json.RawMessage
		err = fields.Decode(&value)
	}
	return keys
}
