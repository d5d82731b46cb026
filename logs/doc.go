// Package logs reads the logs of one container through the API server.
//
// [Reader.Tail] returns the last lines once, in bounded memory. [LastLine] extracts
// the line of them that summarizes an error.
//
// [Reader.Follow] copies a log until the container has ended, of which a [Source]
// informs it. The log API is a plain HTTP body without a cursor, so after an interruption
// Follow reopens the log slightly earlier and skips the lines it has already delivered. It
// reads the log once more after the container has ended. If lines may be missing, its
// [Report] says so.
//
// The API server and the kubelet report a missing log in many ways. They are
// mapped to [ErrGone], [ErrNotStarted] and [ErrContainerUnknown], wrapped in an
// [Error] that names the container and the pod.
package logs
