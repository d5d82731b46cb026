//go:build !race

package kontinue_test

// scaleSteps is how many steps run at once.
const scaleSteps = 10_000
