//go:build race

package scale_test

// steps is how many steps run at once under the race detector.
const steps = 300
