package apiserver

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Limits of generated names, from the API server's SimpleNameGenerator.
const (
	maxGeneratedNameLength = 63
	randomSuffixLength     = 5
	suffixAlphabet         = "bcdfghjklmnpqrstvwxz2456789" // no vowels: no words
)

// sequence generates unique UIDs and random name suffixes, reproducibly.
type sequence struct {
	mu   sync.Mutex
	seed uint64
	n    uint64
	rng  *rand.Rand
}

func newSequence(seed uint64) *sequence {
	return &sequence{seed: seed, rng: rand.New(rand.NewPCG(seed, 0x6b6f6e74696e7565))}
}

// uid returns a UUID in the form of version 4, made unique by a counter.
func (q *sequence) uid() types.UID {
	q.mu.Lock()
	q.n++
	n, r := q.n, q.rng.Uint64()
	q.mu.Unlock()

	var b [16]byte
	binary.BigEndian.PutUint64(b[0:], r)
	binary.BigEndian.PutUint64(b[8:], n)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[0:], b[0:4])
	text[8] = '-'
	hex.Encode(text[9:], b[4:6])
	text[13] = '-'
	hex.Encode(text[14:], b[6:8])
	text[18] = '-'
	hex.Encode(text[19:], b[8:10])
	text[23] = '-'
	hex.Encode(text[24:], b[10:16])
	return types.UID(text[:])
}

// name appends a random suffix to base, which is truncated to leave room for it.
func (q *sequence) name(base string) string {
	if limit := maxGeneratedNameLength - randomSuffixLength; len(base) > limit {
		base = base[:limit]
	}
	var suffix [randomSuffixLength]byte
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range suffix {
		suffix[i] = suffixAlphabet[q.rng.IntN(len(suffixAlphabet))]
	}
	return base + string(suffix[:])
}

// now is the current time as it survives a round trip through the API: whole seconds.
func now() metav1.Time { return metav1.Unix(time.Now().Unix(), 0) }
