// Package simtest has what the system tests of the library share: a [World], which is a
// cluster in memory with one Execution, [Worker] processes that run the Execution's
// function and can be killed at any request, and [Troubles] of the API server.
//
// [Run] runs a test in a testing/synctest bubble, in which a step that runs for an hour
// takes no real time.
//
// The tests are in the packages below. In durability workers die, in faults the API
// server fails, in livelogs logs are followed, in scale thousands of steps run at once, and
// scenarios runs internal/scenarios on the cluster in memory.
//
// Only tests import this package, which the linter enforces.
package simtest
