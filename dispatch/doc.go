// Package dispatch routes informer events to those who wait for them.
//
// A [Dispatcher] maps owner UIDs to futures. An informer's event handler calls
// [Dispatcher.Dispatch] for every event. The [Future] bound to the event's UID
// updates its state and, if there is something to decide, wakes its waiter.
//
// A waiter registers a future, creates its object, binds the future to the UID
// that the API server assigned, and then reads the cache once. Events from before
// the bind are in the cache and later ones reach the future, so none is lost.
//
// Delivery never blocks, never drops an event and does no I/O: a future folds the event
// into the waiter's state, and calls a function that only schedules the waiter. A slow
// waiter does not delay the others, and one that waits needs no goroutine.
//
// The package depends on nothing of Kubernetes but [types.UID].
package dispatch
