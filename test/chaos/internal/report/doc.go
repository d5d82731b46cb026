// Package report counts the violations of what a step guarantees, and prints figures
// as a table.
//
// [Findings] counts by [Kind] and keeps the descriptions of the first ones. [Table]
// prints rows of names and figures, including the counts, and the descriptions below
// them. [Spread] summarizes durations.
package report
