package watch

import (
	_ "embed"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"
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
		job.Step, job.SpecHash, job.Record = "build", "sha256:ab", text
		f := newFinishedJob(job, new(origins))
		require.Equal(t, [3]string{"build", "sha256:ab", text}, [3]string{f.stepName(), f.specHash(), f.outcome()}, name)
	}
	for _, uid := range []types.UID{"0d1f6a5c-0000-4000-8000-00000000abcd", "0D1F6A5C-0000-4000-8000-00000000ABCD", "{0d1f6a5c-0000-4000-8000-00000000abcd}", "ns/name", "16 bytes are it!", ""} {
		for _, hash := range []string{"sha256:00112233445566778899aabbccddeeff", "sha256:AB", "sha256:", "sha512:ab", "sha256:abc", ""} {
			job := &Job{}
			job.UID, job.SpecHash = uid, hash
			f := newFinishedJob(job, new(origins))
			require.Equal(t, uid, f.uid())
			require.Equal(t, hash, f.specHash())
		}
	}
	job := &Job{}
	job.UID, job.SpecHash = "0d1f6a5c-0000-4000-8000-00000000abcd", "sha256:00112233445566778899aabbccddeeff"
	require.Len(t, newFinishedJob(job, new(origins)).texts, 16+16)
	job.Step = strings.Repeat("s", 256)
	require.Nil(t, newFinishedJob(job, new(origins)), "it stays as it is")
}

// FuzzSqueeze: every text comes back as it was.
func FuzzSqueeze(f *testing.F) {
	f.Add("0d1f6a5c-0000-4000-8000-00000000abcd", "sha256:00112233445566778899aabbccddeeff", common)
	f.Add("uid", "sha256:AB", "\x01")
	f.Add("", "", `","u":"","u":"`)
	f.Fuzz(func(t *testing.T, uid, hash, text string) {
		job := &Job{}
		job.UID, job.SpecHash, job.Record = types.UID(uid), hash, text
		if kept := newFinishedJob(job, new(origins)); max(len(uid), len(hash)) < 256 {
			require.Equal(t, [3]string{uid, hash, text}, [3]string{string(kept.uid()), kept.specHash(), kept.outcome()})
		}
	})
}
