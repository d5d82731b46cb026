// Package journal stores the objects of an API server in a file of JSON lines.
//
// The first line is a header. Then comes a snapshot: one line for each object at the time
// the file was made. Then one line is appended for each write, before the write takes
// effect. Load reads the file and returns the state after the last whole line; Create
// makes a new file that begins with that state, so that a file does not grow from one
// start of the program to the next.
//
// A line that was cut in the middle by a crash is dropped: the write was not answered.
// Every other damage is an error.
package journal
