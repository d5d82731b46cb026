//go:build !race

package simtest

// Stride is how many cases of a sweep over points in time there are for each that is run.
const Stride = 1
