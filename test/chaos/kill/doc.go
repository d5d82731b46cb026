// Package kill kills worker processes and checks what became of their steps.
//
// [Run] runs workers as processes of their own on a testbed. Each worker runs a
// function of named and unnamed steps for one Execution, is killed with SIGKILL at
// a random time, around a chosen request or at a chosen transition of a step, and
// is started again until its function has returned. Some Executions have two
// workers at once, some are retried.
//
// The [Report] counts kills and Jobs, and what must never happen: a second Job for
// a step, a lost result, a result that differs from the one without a kill. It
// also counts the requests that a step costs, from the API server's audit log.
// [Reattach] measures how fast a new worker has the results of finished steps.
package kill
