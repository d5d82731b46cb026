// Package engine has what the controllers and the kubelet of the cluster in memory
// share: a Store for each kind of object, the reflector that fills it, and the work
// queue with the keys to sync.
//
// Reflector and queue are client-go's. The Store is not: a controller can put the
// response to its own write into it (Put), so that it reads its own writes and needs no
// expectations. An older object never replaces a newer one; the in-memory API server
// takes the resource versions of all kinds from one counter.
//
// All timers come from package time, so everything here runs in virtual time
// inside a testing/synctest bubble.
package engine
