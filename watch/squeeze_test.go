package watch

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// common is the outcome of a step as most are, as the root package writes it.
//
//go:embed testdata/outcome.json
var common string

// TestSqueeze: what is kept is half of it, and the whole text again when asked for.
func TestSqueeze(t *testing.T) {
	t.Parallel()
	require.Less(t, len(squeeze(common)), len(common)/2)
	require.Less(t, len(squeezed), int(' '), "the characters that stand for a piece do not occur in JSON")
	for name, text := range map[string]string{
		"common": common, "empty": "", "a piece twice": squeezed[0] + squeezed[0], "no JSON": "a\x01b\n" + common, "not ASCII": `{"m":"Grüße","u":"é"}`,
		"all pieces": strings.Join(squeezed, ""),
	} {
		job := &Job{}
		job.Step, job.SpecHash, job.Outcome = "build", "sha256:ab", text
		f := newFinishedJob(job, new(origins))
		require.Equal(t, [3]string{"build", "sha256:ab", text}, [3]string{f.stepName(), f.specHash(), f.outcome()}, name)
	}
	job := &Job{}
	job.Step = strings.Repeat("s", 256)
	require.Nil(t, newFinishedJob(job, new(origins)), "it stays as it is")
}

// FuzzSqueeze: every text comes back as it was.
func FuzzSqueeze(f *testing.F) {
	f.Add(common)
	f.Add("\x01")
	f.Add(`","u":"","u":"`)
	f.Fuzz(func(t *testing.T, text string) {
		job := &Job{}
		job.Outcome = text
		require.Equal(t, text, newFinishedJob(job, new(origins)).outcome())
	})
}
