// Package jobs turns a step's spec into a Kubernetes Job, creates that Job exactly
// once, and reads its status.
//
// [Request.Build] is pure: it validates the user's spec and adds what kontinue
// needs, which is the fixed name, the owner, labels, annotations and the deadline.
// [Client.Acquire] creates the object, or adopts the one that an earlier worker
// created, and refuses one of another owner. [Classify] reads a status:
// only the conditions Complete and Failed end a Job. [Policy.Plan] decides which
// run of a step counts when its Execution is retried.
//
// The package keeps no cache: every call reads from the API server, retries transient
// errors, and ends with its context. Only a create outlives its call, until it has a
// response or [Client.Close] abandons it: see [Client.Undecided].
package jobs
