package dispatch

import "k8s.io/apimachinery/pkg/types"

// Waiting reports whether a future is bound to uid.
func (d *Dispatcher[E]) Waiting(uid types.UID) bool {
	s, hash := d.shard(uid)
	s.mu.RLock()
	defer s.mu.RUnlock()
	for f := s.futures[hash]; f != nil; f = f.next {
		if f.uid == uid {
			return true
		}
	}
	return false
}

// Len returns the number of bound futures.
func (d *Dispatcher[E]) Len() int {
	n := 0
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.RLock()
		for _, f := range s.futures {
			for ; f != nil; f = f.next {
				n++
			}
		}
		s.mu.RUnlock()
	}
	return n
}
