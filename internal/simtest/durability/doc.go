// Package durability has the tests of what the library promises to a function
// whose worker can die at any request.
//
// A worker is killed, or only stops waiting, and another one resumes the
// function. The tests require that no step runs twice, that every resume returns
// the result that was recorded first, that a retry runs again what its child
// policy says and nothing else, that foreign Jobs are not touched, and that no
// Job is deleted before its result was read.
package durability
