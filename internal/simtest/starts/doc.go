// Package starts has the tests of steps whose pods cannot start, or do not stop, in
// virtual time: they are given up at the limit for what they wait for, with the cluster's
// own words, and not before.
package starts
