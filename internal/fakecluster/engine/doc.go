// Package engine is what the controllers and the kubelet of the in-memory
// cluster share: a cache of one kind of object, the loop that fills it from a
// list and a watch, and a queue of keys to look at, now or later.
//
// It is deliberately smaller than client-go's informers: one goroutine a kind,
// no resync, no real-time back-off that a test would have to wait for, and a
// writer may put the answer of its own write into the cache (Put), so that a
// controller reads its own writes and needs no expectations. Stale watch events
// are told from newer ones by the resource version, which the in-memory API
// server takes from one counter.
//
// All timers come from package time, so everything here runs in virtual time
// inside a testing/synctest bubble.
package engine
