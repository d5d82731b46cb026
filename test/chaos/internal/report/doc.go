// Package report counts what must never happen to a step, and prints figures as a
// table.
//
// [Findings] counts by [Kind] and keeps the first cases of each run for a human to
// read. [Table] prints rows of names and figures, the counts among them, and the
// cases below. [Spread] summarizes durations.
package report
