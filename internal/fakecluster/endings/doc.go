// Package endings defines in which ways a Job ends, and records the order of the states
// that watches of the Job and its pods then show.
//
// [Record] runs a [Case] on a cluster and returns its [History]. The histories of a real
// Kubernetes are in testdata, written by the end-to-end tests; the tests of this package
// run the same cases on the cluster in memory with the delays of a real one, and require
// the same order.
package endings
