package identity

import (
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
func SpecHash(spec *batchv1.JobSpec) string { return Hash(spec) }

// Hash is [SpecHash] of whatever the user submitted in place of a Job's spec, such as
// that of a pod.
func Hash(submitted any) string {
	sum := sha256.Sum256(canonical(submitted))
	return "sha256:" + hex.EncodeToString(sum[:16])
}

func canonical(submitted any) []byte {
	raw, err := json.Marshal(submitted)
	if err != nil {
		// Only a value that the API server could not read either gets here (an
		// IntOrString of an unknown type). Its hash still has to be stable.
		return fmt.Appendf(nil, "unencodable: %v", err)
	}
	return canonicalJSON(raw)
}
