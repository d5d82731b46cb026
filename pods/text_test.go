package pods_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/pods"
)

func TestExplainShowsTheLastLine(t *testing.T) {
	t.Parallel()
	const prefix = `container "main" failed: exit code 1`
	tests := []struct{ name, message, want string }{
		{"none", "", ""},
		{"blank", " \n\r\n\t", ""},
		{"last of many", "a\nb\r\nc\n\n", ": c"},
		{"colored", "\x1b[31mError:\x1b[0m no\n\x1b[0m\n", ": Error: no"},
		{"hyperlink", "see \x1b]8;;http://x\x1b\\the docs\x1b]8;;\x1b\\", ": see the docs"},
		{"backwards", "no \u202eroom", ": no room"},
		{"separators", "no\u2028room", ": room"},
		{"control characters", "a\x00b\x07", ": a b"},
		{"a cut rune", "caf\xc3", ": caf\uFFFD"},
		{"long", strings.Repeat("é", 4000), ": " + strings.Repeat("é", 510) + "..."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o := pods.Inspect(pod("Failed", mainC("main", exited(1, "Error", 2, tt.message))))
			require.Equal(t, prefix+tt.want, o.Explain())
		})
	}
}
