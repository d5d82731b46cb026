// Package lint measures the exported surface of this module.
//
// A small surface is a promise: fewer names to learn, fewer to keep for ever.
// [Survey] parses every public package, counts the names that it exports, and
// lists what lacks a doc comment. [Table] prints the result, and
// [Package.Problems] holds it against the budget: fewer than [RootBudget] names
// in the root package, fewer than [PackageBudget] in each other one, each of
// them documented.
//
// The command in the folder api prints the table (make api), and this package's
// own test keeps the module within its budget. The rules that a general linter
// can check are in .golangci.yml.
package lint
