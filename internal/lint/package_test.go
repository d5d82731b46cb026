package lint_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue/internal/lint"
)

func names(n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("Name%d", i)
	}
	return list
}

func TestProblems(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		pkg  lint.Package
		want []string // part of each problem
	}{
		"empty":                {lint.Package{Dir: "p"}, nil},
		"root at its limit":    {lint.Package{Dir: ".", Names: names(39)}, nil},
		"root over":            {lint.Package{Dir: ".", Names: names(64)}, []string{"exports 64 names, and fewer than 64"}},
		"package at its limit": {lint.Package{Dir: "p", Names: names(19)}, nil},
		"package over":         {lint.Package{Dir: "p", Names: names(20)}, []string{"exports 20 names, and fewer than 20"}},
		"undocumented":         {lint.Package{Dir: "p", Names: []string{"F"}, Undocumented: []string{"F"}}, []string{"without a doc comment: F"}},
		"both": {
			lint.Package{Dir: "p", Names: names(20), Undocumented: []string{"Name7"}},
			[]string{"exports 20 names", "comment: Name7"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := tt.pkg.Problems()
			require.Len(t, got, len(tt.want), "%q", got)
			for i, want := range tt.want {
				require.Contains(t, got[i], want)
			}
		})
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken pipe")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestTableReturnsTheWritersError(t *testing.T) {
	t.Parallel()
	require.ErrorIs(t, lint.Table(brokenWriter{}, nil), errBroken)
}
