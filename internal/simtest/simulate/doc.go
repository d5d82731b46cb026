// Package simulate runs Executions on the cluster in memory under random faults, and
// judges what happened by the invariants of docs/invariants.md.
//
// A seed is a [Plan]: Executions with their steps, the worker processes that run their
// functions and may crash at any request, and what the network, the cluster and other
// users do meanwhile. [Run] carries a plan out in virtual time. All faults end at some
// time; then everything must settle, and a last worker gets every result again.
//
// The checks in the table [Invariants] read a [History]: every write to the API server in
// its order, by whom it was made, and every call of the library with its result. A plan
// is a pure function of its seed. What happens at the same virtual instant is ordered by
// the scheduler of Go, so a failing seed may have to be repeated to fail again.
//
//   - plan*.go: seed to plan
//   - world.go, worker.go, transport.go, step.go: who acts
//   - events.go, network.go, others.go: what disturbs
//   - history.go, facts.go: what happened
//   - invariants.go and check*.go: what must hold
//   - report.go: what is printed
package simulate
