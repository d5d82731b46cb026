// Package scale has the tests of thousands of steps in one process: 10,000
// without the race detector, which allows no more than 8,128 goroutines, and
// 2,000 with it. `make scale` runs the former.
//
// Every result must be its own step's, two watches must serve all of them, and
// a step must cost a create and a patch. A restarted worker must get the
// results of steps that have ended without a request for each.
package scale
