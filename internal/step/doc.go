// Package step is the engine, which runs one step from the call to its result.
//
// An [Engine] combines the parts. It watches Jobs and Pods, dispatches changes to the
// steps that wait, and sends their requests. A [Run] is one run of an Execution's
// function, and [Run.Start] starts one step of it, a [Step], which ends by itself:
//
//   - names.go claims the step's name,
//   - room.go lets it wait where the number of Jobs is bounded,
//   - adopt.go finds the Job whose result counts, or creates it,
//   - state.go folds the events of the Job and its Pods into a state, from which alone
//     a decision follows,
//   - turn.go gives the step a turn when there is something to decide, pool.go bounds the
//     turns of all steps: a step that waits has no goroutine,
//   - wait.go says whether the decision is final, confirm.go reads from the API server
//     what the watch cannot show,
//   - logs.go follows the logs of its containers, if the step has a writer for them,
//   - outcome.go sums the state up, publish.go records the [Outcome] on the Job,
//   - handle.go is what a caller can ask of a step, observer.go what observes all steps.
//
// It knows nothing of the public types of the root package, which documents, checks
// and converts.
package step
