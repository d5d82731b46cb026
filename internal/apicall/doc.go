// Package apicall holds what every request to the API server needs to know, once
// for all packages that send some.
//
// [Bounded] sends one request and abandons it when no answer can come any more: a
// half-open connection would otherwise hold it for ever. [Transient] reports whether
// the same request may succeed later, and [Overloaded] whether the API server has
// rejected it before processing. How often and with which pauses a request is
// repeated is the caller's to decide. [UIDOf], [MissingUID] and [SameUID] deal with
// clientsets that give out objects without a UID, as client-go's fake one does.
package apicall
