package kontinue

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/pods"
)

// TestRaised: the attempt grows, and no other byte changes.
func TestRaised(t *testing.T) {
	t.Parallel()
	o := outcome{
		ending: ending{Version: endingVersion, Attempt: 9, Failed: true, Reason: "x", Message: `says "attempt":9, and so on`},
		pods:   []pods.Outcome{{Name: "p", UID: "u"}},
	}
	written, err := o.encode()
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		text    string
		attempt int
		want    string
	}{
		"as this program writes it": {written, 10, strings.Replace(written, `"attempt":9`, `"attempt":10`, 1)},
		"the same":                  {written, 9, written},
		"never lower":               {written, 8, written},
		"fields not known":          {`{ "next" : {"attempt":1}, "v":1,"attempt" : 2 ,"pods":[],"more":"attempt"}`, 3, `{ "next" : {"attempt":1}, "v":1,"attempt" : 3 ,"pods":[],"more":"attempt"}`},
	} {
		got, err := raised(tc.text, tc.attempt)
		require.NoError(t, err, name)
		require.Equal(t, tc.want, got, name)
	}
	for _, text := range []string{"", "{", "{}", "[]", `{"v":1}`, `{"attempt":"x"}`, `{"attempt":null}`, `{"a":{"attempt":1}`, `{"attempt":1.5}`} {
		got, err := raised(text, 3)
		require.Error(t, err, text)
		require.Equal(t, text, got)
	}
}
