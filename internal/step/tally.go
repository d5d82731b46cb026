package step

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// tally is what the decision needs of the pods, kept up to date with each change: it is
// taken at every event, and a Job may have thousands of pods.
type tally struct {
	byUID     map[types.UID]int // where each pod is in the list; nil while it is short
	settled   int               // pods whose state is final
	succeeded int               // of them those in phase Succeeded
	newest    int               // the pod that was created last
}

// shortList is how many pods are searched one by one: a map costs more memory than most
// waits, which have one.
const shortList = 8

// find returns the pod's place in the list, or -1.
func (s *state) find(uid types.UID) int {
	if s.byUID == nil {
		return slices.IndexFunc(s.pods, func(p podState) bool { return p.UID == uid })
	}
	if i, ok := s.byUID[uid]; ok {
		return i
	}
	return -1
}

// add appends a pod that is not known.
func (s *state) add(p podState) {
	i := len(s.pods)
	s.pods = append(s.pods, p)
	s.count(i, 1)
	if newest := s.pods[s.newest]; newest.CreationTimestamp.Before(&p.CreationTimestamp) ||
		newest.CreationTimestamp.Equal(&p.CreationTimestamp) && newest.Name < p.Name {
		s.newest = i
	}
	switch {
	case s.byUID != nil:
		s.byUID[p.UID] = i
	case len(s.pods) > shortList:
		s.byUID = make(map[types.UID]int, 4*shortList)
		for i := range s.pods {
			s.byUID[s.pods[i].UID] = i
		}
	}
}

// change changes the pod at a place in the list.
func (s *state) change(i int, f func(*podState)) {
	s.count(i, -1)
	f(&s.pods[i])
	s.count(i, 1)
}

func (s *state) count(i, by int) {
	p := &s.pods[i]
	if !p.settled() {
		return
	}
	s.settled += by
	if p.Phase == corev1.PodSucceeded {
		s.succeeded += by
	}
}
