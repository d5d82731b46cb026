//go:build !race

package scale_test

// steps is how many steps run at once.
const steps = 10_000
