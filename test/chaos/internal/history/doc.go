// Package history records everything that happens to the Jobs of kontinue and to
// their pods, as two watches without any fault show it.
//
// [History.Watch] opens the watches, and [History.Observe] adds one event of them. A [Job]
// lists the pods that it ever had and every record of its outcome that was ever
// written to it. [History.On] calls a function at a chosen [Transition] of a step,
// for tests that kill a worker just then.
//
// [Expected] says which Jobs there must have been: [History.Settle] waits until the
// watches have shown that much, and [Expected.Check] counts the Jobs that are
// missing, too many or wrong.
package history
