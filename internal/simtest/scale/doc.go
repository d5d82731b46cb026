// Package scale tests thousands of steps in one process: 10,000 without the race
// detector, which is limited to 8,128 goroutines, and 1,000 with it. `make scale` runs
// the former.
//
// Every result must be that of its step, two watches must serve all steps, and a step
// must cost one create and one patch. A restarted worker must get the results of steps
// that have ended without a request for each.
package scale
