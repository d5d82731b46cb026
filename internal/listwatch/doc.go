// Package listwatch has a [ListerWatcher] for a client-go reflector or informer that
// survives outages and knows its own health.
//
// It reads a list in pages and reduces each page before it requests the next, so that
// a start needs memory for one page and for what is kept. It bounds a LIST, retries
// transient errors within seconds, and records the result of its last request: a
// reflector retries forever, with pauses of up to a minute, and does not log some
// failures. It also knows when a watch has ended or gone silent, which a half-open
// connection would hide: with a transport of [CloseIdle], or by the bookmarks that a
// client without one receives.
//
// The streaming list (WatchList, KEP-3157) is disabled: with it a refused connection
// reaches no error handler, a lost bookmark stalls the first sync forever, and a stop
// waits for a backoff of up to a minute.
package listwatch
