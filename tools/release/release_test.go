package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository makes a small repository with the same modules.
func repository(t *testing.T, edit map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	files := map[string]string{
		"go.mod":               "module example.com/k\n\ngo 1.26.0\n",
		"k.go":                 "// Package k.\npackage k\n\n// Config is.\ntype Config struct {\n\tName string\n\tsecret int\n}\n\n// Run runs.\nfunc (c *Config) Run(n int) error { return nil }\n\n// Max is.\nconst Max = 3\n",
		"internal/x/x.go":      "package x\n\n// Hidden is.\nfunc Hidden() {}\n",
		"part/p.go":            "// Package part.\npackage part\n\n// Doer does.\ntype Doer interface {\n\tDo()\n\tdone()\n}\n\n// Name is.\ntype Name = string\n\n// Old is.\n//\n// Deprecated: use Name, since v0.2.0.\ntype Old string\n",
		"jobs/j.go":            "// Package jobs.\npackage jobs\n\n// Find finds.\nfunc Find() {}\n",
		"otelkontinue/go.mod":  "module example.com/k/otelkontinue\n\ngo 1.26.0\n\nrequire example.com/k v0.0.0\n\nreplace example.com/k => ../\n",
		"otelkontinue/o.go":    "// Package otelkontinue.\npackage otelkontinue\n\nimport \"example.com/k\"\n\n// Observe is.\nfunc Observe(*k.Config) {}\n",
		"cmd/kontinue/go.mod":  "module example.com/k/cmd/kontinue\n\ngo 1.26.0\n\nrequire example.com/k v0.0.0\n\nreplace example.com/k => ../..\n",
		"cmd/kontinue/main.go": "package main\n\nimport (\n\t\"fmt\"\n\t\"runtime/debug\"\n\n\t\"example.com/k\"\n)\n\nfunc main() {\n\tinfo, _ := debug.ReadBuildInfo()\n\tfmt.Println(info.Main.Version, k.Max)\n}\n",
		"CHANGELOG.md":         "# Changelog\n\n## [Unreleased]\n\n## [0.1.0-rc.1] - 2026-01-02\n\n### Added\n\n- All.\n",
		"otelkontinue/README":  "with the module\n",
		"api/gone.txt":         "",
		".gitignore":           "/ignored\n",
	}
	write(t, dir, files)
	write(t, dir, edit)
	t.Setenv("GIT_CONFIG_GLOBAL", filepath.Join(t.TempDir(), "none"))
	for _, name := range []string{"GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"} {
		t.Setenv(name, "test")
		t.Setenv(strings.Replace(name, "NAME", "EMAIL", 1), "test@example.com")
	}
	_, err := git(t.Context(), dir, "init", "-b", "main")
	require.NoError(t, err)
	require.NoError(t, checkListings(t.Context(), &strings.Builder{}, dir, true))
	commit(t, dir)
	return dir
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
}

func commit(t *testing.T, dir string) {
	t.Helper()
	for _, args := range [][]string{{"add", "--all"}, {"commit", "--quiet", "--message", "change"}} {
		_, err := git(t.Context(), dir, args...)
		require.NoError(t, err)
	}
}

// command runs one and returns what it prints.
func output(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	err := run(t.Context(), &out, dir, args)
	return out.String(), err
}

func read(t *testing.T, parts ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(parts...))
	require.NoError(t, err)
	return string(content)
}

func TestListing(t *testing.T) {
	dir := repository(t, nil)
	require.NoFileExists(t, filepath.Join(dir, "api", "gone.txt"))
	require.Equal(t, `const Max untyped int = 3
func (*Config).Run(n int) error
type Config struct
type Config struct, Name string
`, read(t, dir, "api", "kontinue.txt"))
	require.Equal(t, `type Doer interface
type Doer interface, Do()
type Doer interface, unexported methods
type Name = string
type Old string //deprecated
`, read(t, dir, "api", "part.txt"))
	require.Equal(t, "func Observe(*example.com/k.Config)\n", read(t, dir, "api", "otelkontinue.txt"))
	_, err := output(t, dir, "api")
	require.NoError(t, err)

	write(t, dir, map[string]string{
		"k.go":      strings.Replace(read(t, dir, "k.go"), "Name string", "Names []string", 1),
		"more/m.go": "// Package more.\npackage more\n\n// V is.\nvar V int\n",
	})
	out, err := output(t, dir, "api")
	require.ErrorContains(t, err, "differs from 2 files in api/")
	require.Contains(t, out, "kontinue.txt: - type Config struct, Name string\n")
	require.Contains(t, out, "kontinue.txt: + type Config struct, Names []string\n")
	require.Contains(t, out, "more.txt: + var V int\n")
	_, err = output(t, dir, "api", "-update")
	require.NoError(t, err)
	_, err = output(t, dir, "api")
	require.NoError(t, err)

	for _, text := range []string{"Deprecated: since v0.2.0.", "Deprecated: use W."} {
		write(t, dir, map[string]string{"more/m.go": "// Package more.\npackage more\n\n// V is.\n//\n// " + text + "\nvar V int\n"})
		_, err = output(t, dir, "api")
		require.ErrorContains(t, err, "example.com/k/more.V: a deprecation says what to use, and since which version")
	}
}

func TestDiff(t *testing.T) {
	dir := repository(t, nil)
	out, err := output(t, dir, "diff")
	require.NoError(t, err)
	require.Contains(t, out, "there is no tag yet")

	_, err = git(t.Context(), dir, "tag", "v0.1.0")
	require.NoError(t, err)
	source := read(t, dir, "k.go")
	write(t, dir, map[string]string{"k.go": source + "\n// Min is.\nconst Min = 1\n"})
	out, err = output(t, dir, "diff")
	require.NoError(t, err)
	require.Equal(t, "example.com/k: compatible: Min: added\n0 incompatible changes since v0.1.0\n", out)

	require.NoError(t, os.RemoveAll(filepath.Join(dir, "part")))
	write(t, dir, map[string]string{"jobs/j.go": "// Package jobs.\npackage jobs\n"})
	write(t, dir, map[string]string{"k.go": strings.Replace(source, "Run(n int)", "Run(n int64)", 1)})
	out, err = output(t, dir, "diff")
	require.ErrorContains(t, err, `2 incompatible changes since v0.1.0: CHANGELOG.md must have them under "### Changed" or "### Removed"`)
	require.Contains(t, out, "example.com/k: incompatible: (*Config).Run: changed from func(int) error to func(int64) error\n")
	require.Contains(t, out, "example.com/k/jobs: incompatible, in a package that may change until v1.0.0: Find: removed\n")
	require.Contains(t, out, "example.com/k/part: incompatible: the package is gone\n")

	write(t, dir, map[string]string{"CHANGELOG.md": "\n## [Unreleased]\n\n### Changed\n\n- Run.\n\n## [0.1.0]\n"})
	_, err = output(t, dir, "diff")
	require.NoError(t, err)

	_, err = git(t.Context(), dir, "tag", "v1.0.0")
	require.NoError(t, err)
	commit(t, dir)
	_, err = output(t, dir, "diff")
	require.ErrorContains(t, err, "3 incompatible changes since v1.0.0, which a major version alone may have")
	worktrees, err := git(t.Context(), dir, "worktree", "list")
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(worktrees, "\n")+1, "the checkout is removed")
}

func TestNotes(t *testing.T) {
	dir := repository(t, map[string]string{"CHANGELOG.md": "# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-03\n\n### Added\n\n- Two.\n\n## [0.1.0] - 2026-01-02\n\n- One.\n\n[0.1.0]: https://example.com\n"})
	out, err := output(t, dir, "notes", "v0.2.0")
	require.NoError(t, err)
	require.Equal(t, "### Added\n\n- Two.\n", out)
	out, err = output(t, dir, "notes", "v0.1.0")
	require.NoError(t, err)
	require.Equal(t, "- One.\n", out)
	_, err = output(t, dir, "notes", "v0.3.0")
	require.ErrorContains(t, err, `has no section "## [0.3.0]"`)
	_, err = output(t, dir, "notes", "Unreleased")
	require.ErrorContains(t, err, "is empty")
}

// TestPrepare prepares a release, which builds and installs it as a user would.
func TestPrepare(t *testing.T) {
	dir := repository(t, nil)
	t.Setenv("GOPROXY", "off")
	_, err := output(t, dir, "prepare", "0.1.0")
	require.ErrorContains(t, err, `"0.1.0" is not a semantic version`)
	_, err = output(t, dir, "prepare", "v0.1.0-rc.2")
	require.ErrorContains(t, err, `has no section "## [0.1.0-rc.2]"`)
	write(t, dir, map[string]string{"ignored": "", "left": ""})
	_, err = output(t, dir, "prepare", "v0.1.0-rc.1")
	require.ErrorContains(t, err, "commit these files first:\n?? left")
	require.NoError(t, os.Remove(filepath.Join(dir, "left")))

	out, err := output(t, dir, "prepare", "v0.1.0-rc.1")
	require.NoError(t, err)
	require.Contains(t, out, "git push origin v0.1.0-rc.1 otelkontinue/v0.1.0-rc.1 cmd/kontinue/v0.1.0-rc.1\n\n### Added\n\n- All.\n")
	for _, module := range nested {
		mod, err := git(t.Context(), dir, "show", module+"/v0.1.0-rc.1:"+module+"/go.mod")
		require.NoError(t, err)
		require.Contains(t, mod, "require example.com/k v0.1.0-rc.1")
		require.NotContains(t, mod, "replace")
		sum, err := git(t.Context(), dir, "show", module+"/v0.1.0-rc.1:"+module+"/go.sum")
		require.NoError(t, err)
		require.Contains(t, sum, "example.com/k v0.1.0-rc.1 h1:")
	}
	message, err := git(t.Context(), dir, "tag", "--list", "--format", "%(contents)", "v0.1.0-rc.1")
	require.NoError(t, err)
	require.Contains(t, message, "### Added\n\n- All.", "git takes no heading for a comment")
	require.Contains(t, read(t, dir, "otelkontinue", "go.mod"), "replace", "main is as it was")

	out, err = output(t, dir, "diff")
	require.NoError(t, err)
	require.Equal(t, "0 incompatible changes since v0.1.0-rc.1\n", out)
	_, err = output(t, dir, "prepare", "v0.1.0-rc.1")
	require.ErrorContains(t, err, `is not a semantic version after "v0.1.0-rc.1"`)
}

// TestPrepareWithoutUse: what a user could not build gets no tags.
func TestPrepareWithoutUse(t *testing.T) {
	dir := repository(t, map[string]string{"cmd/kontinue/main.go": "package main\n\nimport \"example.com/k\"\n\nfunc main() { println(k.Max) }\n"})
	t.Setenv("GOPROXY", "off")
	_, err := output(t, dir, "prepare", "v0.1.0-rc.1")
	require.ErrorContains(t, err, `does not work for a user: the command says that it is ""`)
	tags, err := git(t.Context(), dir, "tag", "--list")
	require.NoError(t, err)
	require.Empty(t, tags)
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"publish"}, {"api", "x"}, {"api", "-base", "x"}, {"notes"}, {"prepare"}} {
		_, err := output(t, t.TempDir(), args...)
		require.ErrorIs(t, err, errUsage, "%v", args)
	}
}
