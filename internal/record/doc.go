// Package record is the JSON that a step leaves on its Job when it has ended: the
// annotation kontinue.cloud/outcome. A resume reads it and returns the result that
// the first reader got, also when pods and logs are gone.
//
// The form is frozen by golden files. Fields are only added, and a reader keeps
// those that it does not know: [Restamp] changes the attempt and leaves every other
// byte alone. A change that an older reader would misread raises [Version]; a
// record of a later version is an [ErrNewer], and is never overwritten.
//
// How the pods ended is a text of its own within the record, which the pods package
// writes and reads.
package record
