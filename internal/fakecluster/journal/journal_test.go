package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// create makes a journal with one object in its snapshot and two writes, and returns its
// lines.
func create(t *testing.T) (path string, lines []string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "objects")
	kept := Entry{RV: 90, Resource: "v1/pods", Namespace: "default", Name: "kept", Object: []byte(`{"kind":"Pod"}`)}
	f, err := Create(path, 100, 1, func(yield func(Entry, error) bool) { yield(kept, nil) })
	require.NoError(t, err)
	require.NoError(t, f.Append(Entry{RV: 101, Resource: "batch/v1/jobs", Namespace: "default", Name: "a", Object: []byte(`{"kind":"Job"}`)}))
	require.NoError(t, f.Append(Entry{RV: 102, Resource: "v1/pods", Namespace: "default", Name: "kept"}))
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return path, strings.SplitAfter(strings.TrimSuffix(string(content), "\n"), "\n")
}

func TestLoad(t *testing.T) {
	t.Parallel()
	path, lines := create(t)
	require.Equal(t, []string{
		`{"format":"kontinue/objects","version":1,"rv":100,"objects":1}` + "\n",
		`{"rv":90,"resource":"v1/pods","namespace":"default","name":"kept","object":{"kind":"Pod"}}` + "\n",
		`{"rv":101,"resource":"batch/v1/jobs","namespace":"default","name":"a","object":{"kind":"Job"}}` + "\n",
		`{"rv":102,"resource":"v1/pods","namespace":"default","name":"kept"}`,
	}, lines, "the format is frozen")
	state, err := Load(path)
	require.NoError(t, err)
	require.Equal(t, uint64(102), state.RV)
	require.Len(t, state.Objects, 1)
	require.Equal(t, "a", state.Objects[0].Name)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	none, err := Load(filepath.Join(t.TempDir(), "none"))
	require.NoError(t, err)
	require.Equal(t, State{}, none)
}

// TestLoadDamaged: what a crash cannot have done is an error with the line, and what to do.
func TestLoadDamaged(t *testing.T) {
	t.Parallel()
	_, lines := create(t)
	head, kept, job, gone := lines[0], lines[1], lines[2], lines[3]+"\n"
	for name, tc := range map[string]struct {
		content, want string
	}{
		"empty":                {"", "line 1: there is no header"},
		"cut in the header":    {head[:20], "line 1: there is no header"},
		"of another program":   {"{}\n", "line 1: the header is not that of a journal"},
		"no JSON":              {"hello\n", "line 1: invalid character"},
		"cut in the snapshot":  {head + kept[:30], "line 1: the file ends after 0 of the 1 objects"},
		"deletion in snapshot": {head + gone, "line 2: this is not an object of the snapshot"},
		"garbage":              {head + kept + "\x00\x00\n" + job, "line 3: invalid character"},
		"a line cut inside":    {head + kept + job[:40] + gone, "line 3: invalid character"},
		"a line is missing":    {head + kept + gone, "line 3: resource version 102 follows 100"},
		"a line twice":         {head + kept + job + job, "line 4: resource version 101 follows 101"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "objects")
			require.NoError(t, os.WriteFile(path, []byte(tc.content), 0o600))
			_, err := Load(path)
			require.ErrorIs(t, err, ErrDamaged)
			require.ErrorContains(t, err, path+": "+tc.want)
			require.ErrorContains(t, err, "move it away")
		})
	}
}

func TestLoadNewer(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	require.NoError(t, os.WriteFile(path, []byte(`{"format":"kontinue/objects","version":2,"rv":5}`+"\n"), 0o600))
	_, err := Load(path)
	require.ErrorIs(t, err, ErrNewer)
}

// TestCreateFails: the journal that was there stays as it was.
func TestCreateFails(t *testing.T) {
	t.Parallel()
	path, _ := create(t)
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	broken := errors.New("does not encode")
	_, err = Create(path, 200, 1, func(yield func(Entry, error) bool) { yield(Entry{}, broken) })
	require.ErrorIs(t, err, broken)
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.NoFileExists(t, path+".new")
}

// TestAppendAfterFailure: the part of a line that a failed write has left does no harm,
// however long the next one is.
func TestAppendAfterFailure(t *testing.T) {
	t.Parallel()
	for _, left := range []int{1, 20, 500} {
		path := filepath.Join(t.TempDir(), "objects")
		f, err := Create(path, 100, 0, func(func(Entry, error) bool) {})
		require.NoError(t, err)
		_, err = f.file.WriteAt([]byte(strings.Repeat("x", left)), f.size)
		require.NoError(t, err)
		for rv := range uint64(3) {
			state, err := Load(path)
			require.NoError(t, err)
			require.Equal(t, 100+rv, state.RV)
			require.NoError(t, f.Append(Entry{RV: 101 + rv, Resource: "v1/pods", Name: "a", Object: []byte(`{}`)}))
		}
		require.NoError(t, f.Close())
		require.ErrorIs(t, f.Append(Entry{RV: 104}), ErrClosed)
	}
}

func TestAppendFails(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "objects")
	f, err := Create(path, 100, 0, func(func(Entry, error) bool) {})
	require.NoError(t, err)
	require.NoError(t, f.file.Close())
	err = f.Append(Entry{RV: 101, Resource: "v1/pods", Name: "a"})
	require.ErrorIs(t, err, os.ErrClosed)
	require.ErrorContains(t, err, path+":")
	require.NotContains(t, err.Error(), ".new")
}
