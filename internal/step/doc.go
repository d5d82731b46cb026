// Package step is the engine, which runs one step from the call to its result.
//
// An [Engine] combines the parts. It watches Jobs and Pods, dispatches changes to the
// steps that wait, and sends their requests. A [Run] is one run of an Execution's
// function, and [Run.Do] runs one step of it:
//
//   - names.go claims the step's name,
//   - adopt.go finds the Job whose result counts, or creates it,
//   - state.go folds the events of the Job and its Pods into a state, from which alone
//     a decision follows,
//   - wait.go waits until the decision is final, confirm.go reads from the API server
//     what the watch cannot show,
//   - outcome.go sums the state up, publish.go records the [Outcome] on the Job.
//
// It knows nothing of the public types of the root package, which documents, checks
// and converts.
package step
