package plain_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/plain"
)

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                      "",
		"two\nlines\tand a tab": "two\nlines\tand a tab",
		"\x1b[31mred\x1b[0m":    "red",
		"\u009b31mred\u009b0m":  "red",
		"\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\":   "link",
		"\u009d8;;http://evil\u009clink":                "link",
		"\x1b]0;title\x07text":                          "text",
		"\x1b]8;;never ends":                            "",
		"\x1bPdevice\x1b\\text":                         "text",
		"\x1b_app\x1b\\text\x1b^pm\x1b\\\x1bXsos\x1b\\": "text",
		"\x1b(Btext\x1b7\x1bM":                          "text",
		"a\u202eb\u2066c\u2069d\u200ee\u061cf":          "abcdef",
		"a\u2028b\u2029c\u0085d":                        "a b c d",
		"a\rb\x00c\x1b":                                 "a b c ",
		"caf\xc3":                                       "caf\uFFFD",
		"größe, 漢字, 👩\u200d🔧, שלום":                     "größe, 漢字, 👩\u200d🔧, שלום",
	} {
		require.Equal(t, want, plain.Text(in), "%q", in)
		require.Equal(t, strings.NewReplacer("\n", " ", "\t", " ").Replace(want), plain.Line(in), "%q", in)
	}
}

func TestLastLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                      "",
		" \n\r\n\t\u2028":                       "",
		"one\r\ntwo\r\n\r\n":                    "two",
		"10%\r50%\r100%\n":                      "100%",
		"the cause\u2028a line of its own":      "a line of its own",
		"boom\n\x1b[0m\n":                       "boom",
		"boom\n\u202e\n":                        "boom",
		"a\tb\x00c":                             "a b c",
		strings.Repeat("é", 20):                 strings.Repeat("é", 8) + "...",
		strings.Repeat("x", 20):                 strings.Repeat("x", 20),
		"last\n" + strings.Repeat("\n", 100000): "last",
	} {
		require.Equal(t, want, plain.LastLine(in, 20), "%q", in)
	}
	require.Empty(t, plain.LastLine("long", 3))
}

func FuzzText(f *testing.F) {
	f.Add("a\x1b[0m\r\n\x1b]8;;x\u202e\u2028")
	f.Add("\x1b\x1b[[m\xff\n\u009d\u009c")
	f.Fuzz(func(t *testing.T, s string) {
		text := plain.Text(s)
		require.True(t, utf8.ValidString(text))
		for _, r := range text {
			require.False(t, unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029')
			require.True(t, r == '\n' || r == '\t' || !unicode.IsControl(r), "%q", text)
		}
		require.Equal(t, text, plain.Text(text), "what is plain stays as it is")
		line := plain.LastLine(s, 100)
		require.LessOrEqual(t, len(line), 100)
		require.Equal(t, strings.TrimSpace(line), line)
		require.NotContains(t, line, "\n")
	})
}
