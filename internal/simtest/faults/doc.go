// Package faults tests a client whose API server misbehaves: it is unreachable, does not
// respond, rejects a token or a verb, or drops and delays watch events.
//
// Start must fail in bounded time with the reason, Stop must return at once in any
// state, and a running client must report the problem in its log and in Healthy, recover
// by itself and return the right results. No outage may be mistaken for a response, and
// no secret may reach a log line, an error or an Event.
package faults
