// Package simtest is what the tests of the whole library share: a [World], which
// is a cluster in memory with one Execution on it, the [Worker] processes that
// run the Execution's function and can be killed at any request, and the
// [Troubles] that an API server can cause them.
//
// [Run] runs a test in a testing/synctest bubble, in which a step that takes an
// hour passes in no time.
//
// The tests are in the folders below. In durability workers die, in faults the
// API server fails, in scale thousands of steps run at once, and in scenarios
// those of internal/scenarios are played on the cluster in memory.
//
// Only tests import this package; the linter sees to that.
package simtest
