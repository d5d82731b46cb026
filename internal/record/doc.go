// Package record defines the JSON in the annotation kontinue.cloud/outcome, with which a
// step records on its Job how it ended. A resume reads it and returns the same result as
// the first reader, even if pods and logs are gone.
//
// Golden files freeze the format. Fields are only added, and a reader ignores those that
// it does not know. A change that an older reader would misread increments [Version]. A
// record of a later version is an [ErrNewer], and is never overwritten.
//
// How the pods ended is opaque JSON in the record, which package pods writes and reads.
package record
