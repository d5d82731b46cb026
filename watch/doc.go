// Package watch holds one worker group's living Jobs and their Pods in memory, from two
// watch streams, and calls a [Handler] for every change.
//
// A Job is living until its step has a record. Recording sets a label that the watch of
// Jobs excludes, so the event of that write removes the Job, and its finished Pods, from
// the cache. Pods have no such label. Their list starts after the Jobs are synced and
// omits, page by page, the finished Pods of Jobs that are not living. So memory grows
// with the steps that are running and not with those that have run, but a start still
// reads those Pods once.
//
// A [Watcher] owns a shared informer factory with two informers, or one for each of several
// namespaces. Their event handlers write into one small store; the informers' own caches
// hold only key and version of each object. Objects are trimmed on arrival: a Job to its
// identity, kontinue's metadata and its status; a Pod to what shows its progress, packed,
// and kept whole only once it has finished or is being deleted, when a result needs it.
//
// For several namespaces it lists and watches cluster-wide, and drops the objects of other
// namespaces on arrival: such an event costs the time to decode it, half of what one costs
// that is kept (BenchmarkForeignEvent), and no memory. Where that is forbidden
// when it starts, it has two informers for each namespace.
//
// [Watcher.Start] returns when the caches are synced, the handler has seen their content
// and all watches are open, or with an error that names verb, resource and namespace. A
// stream that has gone silent is closed and opened again.
package watch
