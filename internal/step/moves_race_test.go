//go:build race

package step

// moves is the number of moves of [TestNoWaitSleepsForEver].
const moves = 4
