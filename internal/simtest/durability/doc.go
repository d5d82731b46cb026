// Package durability tests what the library guarantees to a function whose worker can
// die at any request.
//
// A worker is killed or stops waiting, and another one resumes the function. The tests
// require that no step runs twice, that every resume returns the result that was
// recorded first, that a retry only runs the steps that its child policy selects, that
// foreign Jobs are not touched, and that no Job is deleted before its result was read.
package durability
