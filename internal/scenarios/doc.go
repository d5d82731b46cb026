// Package scenarios holds what can happen to a step, each once, with the one
// result that its caller must get, whichever cluster the step runs on.
//
// A [Scenario] names a step, what is done to the cluster meanwhile and the
// [Want]. [Run] plays all of them on a [Backend]: the cluster in memory, as
// part of the unit tests, and a real Kubernetes, as the end-to-end tests. What
// was seen on the way (conditions, container states, events) is kept as
// [Facts]; those of both backends make up docs/fake-vs-real.md, so that the
// places where the cluster in memory differs are known and not guessed.
//
// Containers are declared as shell commands, which both backends run. Only
// what a local process cannot show, such as an image that cannot be pulled, is
// declared a second time, as a script for the cluster in memory.
package scenarios
