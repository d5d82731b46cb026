// Package logs reads the logs of one container through the API server.
//
// [Reader.Tail] returns the last lines once, in bounded memory; [LastLine]
// takes the summary line for an error message out of them. [Reader.Follow]
// copies a log from its first line to the container's end: the log API is a
// plain HTTP body without a cursor, so after a cut Follow opens it again a
// little earlier, drops what it has delivered already, and reads once more
// when the container has ended. Where a line may be missing, its [Report] says
// so instead of guessing.
//
// The API server and the kubelet say in many ways that there is no log; they
// become [ErrGone], [ErrNotStarted] and [ErrContainerUnknown], inside an
// [Error] that names the container and the pod.
package logs
