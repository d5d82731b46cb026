// Package identity knows what kontinue writes on an object so that it can be
// found again: names, labels, annotations, selectors and the spec hash.
//
// A step of an Execution owns at most one Job for each run. The Job's name is a
// pure function of the Execution, the step and the run (see [JobName]), so a
// worker that resumes a step asks for the very object that its predecessor may
// have created. Labels (see [Labels]) let one watch select all the Jobs and pods
// of a worker group; annotations carry what a later worker needs and that no
// selector asks for (see [Marks]).
//
// Everything here is frozen: a changed name or hash orphans the Jobs that run
// while a worker is upgraded. Golden tests keep it so.
package identity
