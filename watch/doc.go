// Package watch keeps one worker group's Jobs and Pods of a namespace in
// memory, from two watch streams, and tells a [Handler] of every change.
//
// A [Watcher] owns one shared informer factory with two informers, both
// selecting on the worker group's labels, so that foreign objects never cross
// the network. Their event handlers write into one small store and tell the
// [Handler]; the informers' own caches keep name and version of each object. What
// is stored is trimmed on arrival: of a Job its identity, kontinue's own marks and
// its status; of a Pod what tells its progress, packed, and the whole object only
// once it is terminal or being deleted, when a result needs it; of a finished Job
// little more than the recorded outcome, squeezed.
//
// The informers LIST, in pages that are trimmed one by one, and then WATCH: a start
// among ten thousand Jobs needs no more memory than what is kept of them, and a
// page. The streaming list (WatchList, KEP-3157) is left off on purpose: with it a
// refused connection reaches no error handler, a lost bookmark stalls the first sync
// for ever, and a stop has to wait for a back-off of up to a minute.
//
// [Watcher.Start] returns when both caches are filled, the handler has seen
// their content and both watches are open, or with an error that names verb
// and resource. A stream that has gone silent is closed and opened again.
package watch
