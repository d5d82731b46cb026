// Package lint measures the exported surface of this module.
//
// A small surface means fewer names to learn and fewer to keep compatible. [Survey]
// parses every public package, counts the names that it exports and lists those
// without a doc comment. [Table] prints the result. [Package.Problems] checks it
// against the budget: fewer than [RootBudget] names in the root package and fewer
// than [PackageBudget] in each other one, all of them documented.
//
// The command in the folder api prints the table (make api), and the tests of this
// package fail if the module exceeds its budget. Rules that a general linter can
// check are in .golangci.yml.
package lint
