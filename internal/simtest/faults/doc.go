// Package faults has the tests of a client whose API server misbehaves: it
// cannot be reached, does not answer, refuses a token or a verb, or drops and
// delays watch events.
//
// Start must fail in bounded time and say why, Stop must take no time in any
// state, and a running client must say in its log and in Healthy what is wrong,
// recover by itself and return the right results. No outage may be taken for an
// answer, and no secret may reach a log line, an error or an Event.
package faults
