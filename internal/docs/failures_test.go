package docs_test

import (
	"fmt"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/causes"
)

// updateEnv is the environment variable that makes TestFailuresListsTheCauses write the
// table.
const updateEnv = "KONTINUE_UPDATE_FAILURES"

// named are the causes that a program can test for.
var named = map[string]error{
	"ErrOOMKilled": kontinue.ErrOOMKilled, "ErrDeadlineExceeded": kontinue.ErrDeadlineExceeded, "ErrCanceled": kontinue.ErrCanceled,
	"ErrImagePull": kontinue.ErrImagePull, "ErrConfig": kontinue.ErrConfig, "ErrStartError": kontinue.ErrStartError,
	"ErrInitContainer": kontinue.ErrInitContainer, "ErrPodRejected": kontinue.ErrPodRejected, "ErrUnschedulable": kontinue.ErrUnschedulable,
	"ErrEvicted": kontinue.ErrEvicted, "ErrPreempted": kontinue.ErrPreempted, "ErrNodeLost": kontinue.ErrNodeLost,
}

// The table of docs/failures.md is that of the code.
func TestFailuresListsTheCauses(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- Generated from internal/causes with " + updateEnv + "=1. Do not edit. -->\n\n", "\n<!-- End of the table. -->"
	path := filepath.Join(root, "docs/failures.md")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found, begin)
	table, after, found := strings.Cut(rest, end)
	require.True(t, found, end)
	if os.Getenv(updateEnv) != "" {
		require.NoError(t, os.WriteFile(path, []byte(before+begin+causeTable(t)+end+after), 0o644))
		return
	}
	require.Equal(t, causeTable(t), table)
}

// Each cause that the root package exports is in the table, or is explained beside it.
func TestFailuresNamesEachError(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "docs/failures.md"))
	require.NoError(t, err)
	var exported []string
	for _, spec := range values(t, "causes.go", token.VAR) {
		exported = append(exported, spec.Names[0].Name)
	}
	require.Len(t, exported, len(named)-3, "errors.go has the other three")
	for _, name := range append(exported, slices.Collect(maps.Keys(named))...) {
		require.Contains(t, named, name)
		require.Contains(t, string(text), "`"+name+"`")
	}
	for _, class := range []kontinue.Class{
		kontinue.ClassUser, kontinue.ClassConfig, kontinue.ClassInfrastructure, kontinue.ClassCapacity, kontinue.ClassTimeout, kontinue.ClassCanceled,
	} {
		require.Contains(t, string(text), "| `"+string(class)+"` |")
	}
}

// causeTable has the rows in their order, those with the same advice in one line.
func causeTable(t *testing.T) string {
	t.Helper()
	rows := causes.Table()
	var b strings.Builder
	b.WriteString("| reason | class | `errors.Is` | advice |\n|---|---|---|---|\n")
	for i, row := range rows {
		if i > 0 && rows[i-1].Advice == row.Advice && slices.Equal(rows[i-1].Says, row.Says) {
			continue // it is in that line
		}
		var reasons, errs []string
		for _, other := range rows[i:] {
			if other.Advice != row.Advice || !slices.Equal(other.Says, row.Says) {
				break
			}
			reasons = append(reasons, other.Reason)
		}
		for _, err := range row.Errors {
			errs = append(errs, nameOf(t, err))
		}
		fmt.Fprintf(&b, "| %s%s | `%s` | %s | %s |\n", code(reasons), condition(row), row.Class, code(errs), row.Advice)
	}
	return b.String()
}

func nameOf(t *testing.T, err error) string {
	t.Helper()
	for name, value := range named {
		if value == err { //nolint:errorlint // the value itself, and not what wraps it
			return name
		}
	}
	require.FailNow(t, "no exported name", "%v", err)
	return ""
}

// condition is what a row needs beside its reason.
func condition(row causes.Cause) string {
	var exits []string
	for _, code := range row.ExitCodes {
		exits = append(exits, strconv.Itoa(int(code)))
	}
	switch {
	case len(row.Says) > 0:
		return " with " + code(row.Says) + " in the message"
	case len(exits) > 0:
		return " with exit code " + strings.Join(exits, " or ")
	}
	return ""
}

func code(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = "`" + word + "`"
	}
	return strings.Join(quoted, ", ")
}
