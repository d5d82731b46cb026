// Package identity defines what kontinue writes on an object so that it can be found
// again: names, labels, annotations, selectors and the spec hash.
//
// A step of an Execution owns at most one Job for each run. The Job's name is a
// pure function of the Execution, the step and the run (see [JobName]), so a worker
// that resumes a step finds the object that its predecessor may have created. Labels
// (see [Labels]) let one watch select all the Jobs and pods of a worker group.
// Annotations hold what a later worker needs and no selector uses (see [Metadata]).
//
// Golden tests freeze all of it: a changed name or hash would orphan the Jobs that are
// running while a worker is upgraded.
package identity
