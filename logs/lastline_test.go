package logs

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestLastLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                      "",
		"\n \r\n\t":                             "",
		"one":                                   "one",
		"one\ntwo\n":                            "two",
		"one\r\ntwo\r\n\r\n":                    "two",
		"  padded \t\n":                         "padded",
		"10%\r50%\r100%\n":                      "100%",
		"\x1b[31mError\x1b[0m: no\n":            "Error: no",
		"boom\n\x1b[0m\n":                       "boom",
		"\x1b]0;title\x07boom":                  "boom",
		"\x1b]8;;http://x\x1b\\link\n":          "link",
		"a\x1bMb":                               "ab",
		"bell\x07\n":                            "bell",
		"caf\xc3":                               "caf\uFFFD",
		strings.Repeat("é", 3000):               strings.Repeat("é", 2046) + "...",
		strings.Repeat("x", 4096):               strings.Repeat("x", 4096),
		"last\n" + strings.Repeat("\n", 100000): "last",
	} {
		require.Equal(t, want, LastLine(in))
	}
}

func FuzzLastLine(f *testing.F) {
	f.Add("a\x1b[0m\r\n\x1b]")
	f.Add("\x1b\x1b[[m\xff\n")
	f.Fuzz(func(t *testing.T, s string) {
		line := LastLine(s)
		require.LessOrEqual(t, len(line), maxLastLine)
		require.True(t, utf8.ValidString(line))
		require.Equal(t, strings.TrimSpace(line), line)
		require.NotContains(t, line, "\n")
		require.NotContains(t, line, "\r")
	})
}
