// Package faults breaks the network between kontinue and a real control plane
// and looks at what its waits return.
//
// [Run] starts a control plane (package cluster), plays the kubelet for the pods
// and takes one seed after another, some at the same time. A seed is a client
// behind a proxy of its own (package proxy), some dozens of steps at once, and a
// storm: a plan of faults that the seed makes, and makes again. The name of a step
// says with which code its containers exit, so that each result can be held
// against what it must be; a watch that no fault reaches holds the history of all
// objects.
//
// The [Report] counts the faults that hit, by kind, and what must not be: a step
// without a result, one that ran twice, a result that is another than expected.
// It also tells how long it took from the end of a Job until its wait knew.
//
// The command driver runs it and prints the report. The tests of this package
// hold single faults, and a cluster whose own parts fail, against the same rules;
// they take about ten minutes, so give them more (go test -timeout 20m ./...).
package faults
