// Package kill kills worker processes and checks the results of their steps.
//
// [Run] runs workers as separate processes on a testbed. Each worker runs a function
// of named and unnamed steps for one Execution. It is killed with SIGKILL at a random
// time, before or after a chosen request, or at a chosen transition of a step, and is
// restarted until its function has returned. Some Executions have two workers at
// once, some are retried, and of some an attempt begins while the one before it is
// running, under each child policy.
//
// The [Report] counts kills and Jobs, and what must never happen: a second Job for a
// step, a lost result, or a result that differs from the one without a kill; with
// several attempts at once, two runs of a step at a time, one that the policy does not
// allow, or two results in an attempt. It also
// counts the requests per step, from the API server's audit log. [Reattach] measures
// how fast a new worker returns the results of finished steps.
package kill
