//go:build race

package simulate

// seeds is how many TestSeeds runs. The race detector makes them ten times as slow.
const seeds = 10
