// Package apicall has what all packages that send requests to the API server share.
//
// [Bounded] sends one request and abandons it when a response is no longer possible: a
// half-open connection would otherwise block it forever. [Transient] reports whether the
// same request may succeed later, and [Overloaded] whether the API server has rejected
// it before processing. The caller decides how often and with which pauses to retry.
// [UIDOf], [MissingUID] and [SameUID] deal with clientsets that return objects without a
// UID, such as client-go's fake one.
package apicall
