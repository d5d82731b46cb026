// Package dispatch hands events to the goroutines that wait for them.
//
// A Dispatcher maps owner UIDs to futures. An informer's handler calls
// [Dispatcher.Dispatch] for every event; the future that is bound to the
// event's UID takes it in and, when there is something to decide, wakes its
// waiter. A waiter registers a future before it creates its object, binds it
// to the UID that the API server assigned, and then looks at the cache once:
// what happened before the bind is in the cache, what happens after it arrives
// through the future, so no event is lost in between.
//
// Delivery never blocks, never drops and does no I/O: a future folds an event
// into its own state and remembers, in a channel of capacity one, that its
// waiter has something to look at. A slow waiter delays nobody.
//
// The package knows nothing of Kubernetes but [types.UID].
package dispatch
