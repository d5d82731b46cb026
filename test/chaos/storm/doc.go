// Package storm breaks the network between kontinue and a real control plane and
// checks what its steps return.
//
// [Run] takes one seed after another, some at the same time. A seed is a client
// behind a proxy of its own (package proxy), dozens of steps at once, and a storm:
// a plan of faults that the seed determines, so that it can be repeated. The name
// of a step says with which code its containers exit, which is what its result is
// checked against.
//
// The [Report] counts the faults that took effect, by kind, and what must never
// happen: a step without a result, one that ran twice, a wrong result. It also
// gives the time from the end of a Job until the waiting step noticed.
//
// The tests of this package also check single faults, and a whole cluster whose
// own parts fail. They take about ten minutes: go test -timeout 20m ./storm
package storm
