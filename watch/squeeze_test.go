package watch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// common is the outcome of a step as most are.
const common = `{"v":1,"attempt":0,"reason":"CompletionsReached","message":"Reached expected number of succeeded pods","succeededPods":1,` +
	`"pods":{"v":1,"pods":[{"n":"build-x7x2k-abcde","u":"0d1f6a5c-0000-4000-8000-000000000000","nd":"node-1","p":"Succeeded","s":"2026-01-01T00:00:00Z",` +
	`"f":"2026-01-01T00:00:05Z","c":[{"n":"main","k":"main","s":"Terminated","r":"Completed","i":"registry.example.com/app:1","a":"2026-01-01T00:00:01Z","f":"2026-01-01T00:00:05Z"}]}]}}`

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
