//go:build !race

package simulate

// seeds is how many TestSeeds runs.
const seeds = 200
