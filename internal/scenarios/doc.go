// Package scenarios defines what can happen to a step, and the result that it must
// return on every cluster.
//
// A [Scenario] has a step, actions on the cluster while it runs, and the expected
// result, [Want]. [RunAll] runs all scenarios on a [Backend]: the cluster in memory
// in the unit tests, and a real Kubernetes in the end-to-end tests. The observed
// conditions, container states and events are recorded as [Facts]. From those of both
// backends, [Document] generates docs/fake-vs-real.md, which shows where the cluster
// in memory differs from a real one.
//
// Containers are shell commands that both backends run. What a local process cannot
// reproduce, such as an image that cannot be pulled, is also declared as a script for
// the cluster in memory.
package scenarios
