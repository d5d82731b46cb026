package report

import (
	"fmt"
	"slices"
	"sync"
)

// Kind is a kind of finding, as the report names it.
type Kind string

const (
	// Lost is a result that no caller received, or a Job that is missing.
	Lost Kind = "lost"
	// Duplicate is a superfluous Job or pod of a step.
	Duplicate Kind = "duplicates"
	// Wrong is a result or a record that differs from the expected one, or from
	// that of another worker.
	Wrong Kind = "wrong"
	// Unhealthy is a client that did not recover or did not stop.
	Unhealthy Kind = "clients that did not recover or stop"
	// Leak is a text that contains a value of env or args.
	Leak Kind = "leaks of env or args"
)

// maxCases is the number of findings whose descriptions are kept.
const maxCases = 20

// Findings counts findings. The zero value is ready to use, and its methods are
// safe for concurrent use.
type Findings struct {
	mu     sync.Mutex
	counts map[Kind]int
	cases  []string
}

// Addf counts a finding and describes it.
func (f *Findings) Addf(kind Kind, format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.counts == nil {
		f.counts = map[Kind]int{}
	}
	f.counts[kind]++
	if len(f.cases) < maxCases {
		f.cases = append(f.cases, string(kind)+": "+fmt.Sprintf(format, args...))
	}
}

// Count returns the number of findings of a kind.
func (f *Findings) Count(kind Kind) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[kind]
}

// Failed reports whether there is any finding.
func (f *Findings) Failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.counts) > 0
}

// Cases describes the first findings.
func (f *Findings) Cases() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.cases)
}
