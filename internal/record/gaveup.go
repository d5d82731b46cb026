package record

import (
	"cmp"
	"encoding/json"
)

// GaveUp is why a worker stopped a Job that did not start, or whose node does not respond:
// the text of an annotation, from the request that stopped the Job until its end is
// recorded. Every worker takes the first one that was written.
type GaveUp struct {
	// Reason is Kubernetes' own word, and Message its explanation.
	Reason, Message string
	// Pod is the name of the pod that did not start, or empty.
	Pod string
}

type gaveUpJSON struct {
	Reason  string `json:"reason"`
	Message string `json:"message,omitempty"`
	Pod     string `json:"pod,omitempty"`
}

// Encode returns the text of the annotation. The message is at most 1 KiB long.
func (g GaveUp) Encode() (string, error) {
	text, err := json.Marshal(gaveUpJSON{Reason: cut(g.Reason), Message: cut(g.Message), Pod: g.Pod})
	return string(text), err
}

// DecodeGaveUp reads the text of the annotation. One that was edited so that it cannot be
// read still says that the Job was stopped, and is taken for the message.
func DecodeGaveUp(text string) GaveUp {
	var g gaveUpJSON
	if err := json.Unmarshal([]byte(text), &g); err != nil {
		return GaveUp{Reason: "GaveUp", Message: cut(text)}
	}
	return GaveUp{Reason: cmp.Or(g.Reason, "GaveUp"), Message: g.Message, Pod: g.Pod}
}
