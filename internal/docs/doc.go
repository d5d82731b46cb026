// Package docs checks the documentation of the module: its Markdown and its doc comments.
//
// [Pages] and [Sources] find the blocks of code. [Check] type-checks each block of Go code
// against its module as it is. A block that begins with a package clause is a whole file and
// is checked as it stands. Any other is a fragment: declarations, or the statements of a
// function. A fragment gets the imports that it needs, and the variables that the
// documentation assumes, such as ctx and client. Its own variables need not be used. A block
// with the comment <!-- from PATH --> on the line before it has to be a part of that file.
//
// [CheckLinks], [CheckPaths], [CheckData] and [CheckShell] are for links, names of files,
// manifests and commands. [Commands] are for a test that runs them: that of test/e2e/docs. A
// block of commands that it cannot run has the comment <!-- not run: REASON -->, with one of
// the [Reasons].
//
// The packages that the blocks import are read from the go command's export data,
// which the build cache has after a build, so that a check takes about a second.
// Errors name the line in the documentation.
package docs
