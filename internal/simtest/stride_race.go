//go:build race

package simtest

// Stride is how many cases of a sweep over points in time there are for each that is run. The
// race detector makes them ten times as slow: make sweeps runs them all without it.
const Stride = 3
