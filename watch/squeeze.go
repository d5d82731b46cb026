package watch

import (
	"encoding/hex"
	"strings"

	"github.com/google/uuid"
)

// squeezed are pieces of text that the outcomes of most steps have in common: what
// Kubernetes says of a Job that has ended as expected, and the frame of the record
// round it. In the cache a control character stands for each, none of which json.Marshal
// writes. They are tried in this order; a piece that no outcome has is merely of no use.
var squeezed = []string{
	`{"v":1,"attempt":0,"reason":"CompletionsReached","message":"Reached expected number of succeeded pods","succeededPods":1,"pods":{"v":1,"pods":[{"n":"`,
	`{"v":1,"attempt":0,"failed":true,"reason":"BackoffLimitExceeded","message":"Job has reached the specified backoff limit","failedPods":1,"pods":{"v":1,"pods":[{"n":"`,
	`"reason":"CompletionsReached","message":"Reached expected number of succeeded pods"`,
	`"reason":"BackoffLimitExceeded","message":"Job has reached the specified backoff limit"`,
	`"reason":"DeadlineExceeded","message":"Job was active longer than specified deadline"`,
	`","k":"main","s":"Terminated","r":"Completed","i":"`,
	`,"pods":{"v":1,"pods":[{"n":"`,
	`","p":"Succeeded","s":"20`,
	`","p":"Failed","s":"20`,
	`","k":"main","s":"Terminated","e":`,
	`,"r":"Error","i":"`,
	`Z"}],"o":`,
	`Z"}]},{"n":"`,
	`Z"}]}]}}`,
	`Z","c":[{"n":"`,
	`Z"},{"n":"`,
	`","nd":"`,
	`","f":"20`,
	`Z","f":"20`,
	`","a":"20`,
	`","u":"`,
	`","k":"init"`,
	`"s":"Terminated"`,
	`{"v":1,"attempt":`,
}

var squeezer, unsqueezer = func() (*strings.Replacer, *strings.Replacer) {
	var there, back []string
	for i, piece := range squeezed {
		there, back = append(there, piece, string(rune(i+1))), append(back, string(rune(i+1)), piece)
	}
	return strings.NewReplacer(there...), strings.NewReplacer(back...)
}()

// squeeze makes a text smaller that is kept for long; unsqueezer gives it back. A
// text that has control characters of its own is left as it is.
func squeeze(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' }) {
		return text
	}
	return squeezer.Replace(text)
}

// squeezeUID makes 16 bytes of a UID, unsqueezeUID the UID again. One that is no
// UUID, as from a fake clientset, is left as it is.
func squeezeUID(text string) string {
	if id, err := uuid.Parse(text); err == nil && id.String() == text {
		return string(id[:])
	}
	return text
}

func unsqueezeUID(raw string) string { return uuid.UUID([]byte(raw)).String() }

// squeezeHash makes bytes of the hex digits of a spec hash (see identity.SpecHash).
func squeezeHash(text string) string {
	digits, is := strings.CutPrefix(text, hashPrefix)
	if raw, err := hex.DecodeString(digits); is && err == nil && hex.EncodeToString(raw) == digits {
		return string(raw)
	}
	return text
}

func unsqueezeHash(raw string) string { return hashPrefix + hex.EncodeToString([]byte(raw)) }

const hashPrefix = "sha256:"
