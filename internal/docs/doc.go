// Package docs checks the Go code in the module's documentation.
//
// [Markdown] and [PackageComment] find the blocks of code, and [Check]
// type-checks each of them against the module as it is. A block that begins with a
// package clause is a whole file and is checked as it stands. Any other is a
// fragment: declarations, or the statements of a function. A fragment gets the
// imports that it needs, and the variables that the documentation assumes, such as ctx
// and client. Its own variables need not be used.
//
// The packages that the blocks import are read from the go command's export data,
// which the build cache has after a build, so that a check takes about a second.
// Errors name the line in the documentation.
package docs
