package identity

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
)

// SpecHash returns "sha256:" and 32 hex digits of the canonical JSON of a
// submitted spec: as the user gave it, before kontinue or the API server
// complete it. Equal specs have equal hashes in every release: keys are sorted,
// nulls are left out, and so are the empty objects that the API types print for
// structs that were never set.
func SpecHash(spec *batchv1.JobSpec) string {
	sum := sha256.Sum256(canonical(spec))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

func canonical(spec *batchv1.JobSpec) []byte {
	raw, err := json.Marshal(spec)
	if err != nil {
		// Only a value that the API server could not read either gets here (an
		// IntOrString of an unknown type). Its hash still has to be stable.
		return fmt.Appendf(nil, "unencodable: %v", err)
	}
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber() // a float64 would merge integers above 2^53
	if err := decoder.Decode(&tree); err != nil {
		return raw
	}
	out, err := json.Marshal(prune(tree))
	if err != nil {
		return raw
	}
	return out
}

// alwaysPrinted are the keys of structs (not pointers) in the API types:
// encoding/json prints them as {} when they are empty, and a later release of the
// types may stop doing so. Elsewhere {} has a meaning (emptyDir, an all-matching
// label selector) and stays.
var alwaysPrinted = map[string]bool{"metadata": true, "resources": true}

func prune(v any) any {
	switch t := v.(type) {
	case map[string]any:
		for k, child := range t {
			child = prune(child)
			t[k] = child
			if m, ok := child.(map[string]any); child == nil || ok && len(m) == 0 && alwaysPrinted[k] {
				delete(t, k)
			}
		}
	case []any:
		for i := range t {
			t[i] = prune(t[i])
		}
	}
	return v
}
