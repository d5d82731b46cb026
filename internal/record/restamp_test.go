package record_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/record"
)

// TestRestamp: the attempt grows, and no other byte changes.
func TestRestamp(t *testing.T) {
	t.Parallel()
	written, err := record.Record{
		Attempt: 9, Failed: true, Reason: "x", Message: `says "attempt":9, and so on`, Pods: []byte(`{"v":1,"pods":[{"n":"p","u":"u"}]}`),
	}.Encode()
	require.NoError(t, err)
	unknown := golden(t, "unknown")
	for name, tc := range map[string]struct {
		text    string
		attempt int
		want    string
	}{
		"as this program writes it": {written, 10, strings.Replace(written, `"attempt":9`, `"attempt":10`, 1)},
		"the same":                  {written, 9, written},
		"never lower":               {written, 8, written},
		"unknown fields": {
			`{ "next" : {"attempt":1}, "v":1,"attempt" : 2 ,"pods":[],"more":"attempt"}`, 3,
			`{ "next" : {"attempt":1}, "v":1,"attempt" : 3 ,"pods":[],"more":"attempt"}`,
		},
		"golden file with unknown fields": {unknown, 12, strings.Replace(unknown, `"attempt" : 4 ,`, `"attempt" : 12 ,`, 1)},
		"a later version":                 {`{"v":2,"attempt":0,"new":[]}`, 1, `{"v":2,"attempt":1,"new":[]}`},
	} {
		got, err := record.Restamp(tc.text, tc.attempt)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, got, name)
	}
	for _, text := range []string{
		"", "{", "{}", "[]", `{"v":1}`, `{"attempt":"x"}`, `{"attempt":null}`, `{"a":{"attempt":1}`, `{"attempt":1.5}`,
		`["attempt",1]`, `"attempt"`, `{"Attempt":1}`,
	} {
		got, err := record.Restamp(text, 3)
		require.Error(t, err, text)
		require.Equal(t, text, got)
	}
}

// requireOnlyNumberChanged: got is text, or has the attempt in place of one number.
func requireOnlyNumberChanged(t *testing.T, text, got string, attempt int) {
	t.Helper()
	if got == text {
		return
	}
	begin := 0
	for begin < min(len(text), len(got)) && text[begin] == got[begin] {
		begin++
	}
	end := 0
	for end < min(len(text), len(got))-begin && text[len(text)-1-end] == got[len(got)-1-end] {
		end++
	}
	// The digits that both numbers have in common belong to them.
	isDigit := func(s string, i int) bool { return i >= 0 && i < len(s) && strings.IndexByte("-0123456789", s[i]) >= 0 }
	for isDigit(text, begin-1) {
		begin--
	}
	for isDigit(text, len(text)-end) {
		end--
	}
	require.Equal(t, strconv.Itoa(attempt), got[begin:len(got)-end], "%s -> %s", text, got)
	was, err := strconv.Atoi(text[begin : len(text)-end])
	require.NoError(t, err, "%s -> %s", text, got)
	require.Less(t, was, attempt)
}
