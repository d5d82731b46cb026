// Package history records everything that happens to the Jobs of kontinue and to
// their pods, from two watches that no fault touches.
//
// [History.Watch] opens the watches, and [History.Observe] adds one event. A [Job]
// lists every pod that it ever had and every record that was ever written to it.
// [History.On] calls a function at a chosen [Transition] of a step, for tests that
// kill a worker at that point.
//
// [Expected] says which Jobs must have existed. [History.Settle] waits until the
// watches have shown them, and [Expected.Check] counts the Jobs that are missing,
// duplicated or wrong.
package history
