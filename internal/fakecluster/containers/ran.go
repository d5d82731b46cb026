package containers

import (
	"cmp"
	"maps"
	"slices"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
)

// Rule is the scripts of the containers that match; Scripts.On returns it.
type Rule struct {
	match   Match
	scripts []Script
	used    map[string]int // instances begun, by Job (or pod), index and container

	ran, hidden atomic.Bool
}

// Ran reports whether one of the scripts has begun: it has kept a pod from being scheduled,
// an image is being pulled for it, or later.
func (r *Rule) Ran() bool { return r.ran.Load() }

// Hidden reports whether a rule that was added later was used for a container that this one
// matches too.
func (r *Rule) Hidden() bool { return r.hidden.Load() }

// choice is the script of an instance, and the rule that it is of, if there is one.
type choice struct {
	Script
	rule *Rule
}

// Ran is a container that has begun.
type Ran struct {
	// Step is the value of the pod's label StepLabel.
	Step      string
	Container string
}

// mark notes that the container has begun.
func (s *Scripts) mark(pod *corev1.Pod, c *corev1.Container, chosen choice) {
	if chosen.rule != nil {
		chosen.rule.ran.Store(true)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ran[Ran{pod.Labels[StepLabel], c.Name}] = struct{}{}
}

// Ran returns the containers that have begun, each once, in alphabetical order.
func (s *Scripts) Ran() []Ran {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Keys(s.ran), func(a, b Ran) int {
		return cmp.Or(cmp.Compare(a.Step, b.Step), cmp.Compare(a.Container, b.Container))
	})
}
