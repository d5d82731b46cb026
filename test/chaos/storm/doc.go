// Package storm breaks the network between kontinue and a real control plane and
// checks the results of its steps.
//
// [Run] runs seeds, several at a time. A seed is a client behind its own proxy
// (package proxy), dozens of concurrent steps, and a storm: a plan of faults that the
// seed determines, so that it can be repeated. The name of a step contains the exit
// code of its containers, with which its result is compared.
//
// The [Report] counts the faults that took effect, by kind, and what must never
// happen: a step without a result, one that ran twice, or a wrong result. It also
// has the time from the end of a Job until the waiting step noticed.
//
// The tests of this package also check single faults, and a whole cluster whose
// components fail. They take about ten minutes: go test -timeout 20m ./storm
package storm
