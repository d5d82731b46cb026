package logs

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

var (
	// ErrGone says that the log is no longer there and will not come back:
	// the pod or its node is gone, or the kubelet has removed the container.
	ErrGone = errors.New("the log is gone")
	// ErrNotStarted says that the container has not started, so it has no log yet.
	ErrNotStarted = errors.New("the container has not started")
	// ErrContainerUnknown says that the pod has no container of that name, or
	// that it has several and none was named.
	ErrContainerUnknown = errors.New("no such container")
)

// Error is a failed read of one container's log. It unwraps to Kind and Err.
type Error struct {
	// Ref is the log that was read.
	Ref Ref
	// Kind is [ErrGone], [ErrNotStarted], [ErrContainerUnknown], or nil.
	Kind error
	// Containers are the names there are, for ErrContainerUnknown when known.
	Containers []string
	// Err is the server's answer or the transport's error.
	Err error
}

// Error names the container and the pod, the kind, and the server's words.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "log of %s", e.Ref)
	if e.Kind != nil {
		fmt.Fprintf(&b, ": %v", e.Kind)
	}
	if len(e.Containers) > 0 {
		fmt.Fprintf(&b, " (the pod has: %s)", strings.Join(e.Containers, ", "))
	}
	if apierrors.IsForbidden(e.Err) {
		b.WriteString(`: grant the verb "get" on pods/log (and on pods, to follow)`)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap lets errors.Is and errors.As see the kind and the cause.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// kinds maps what the API server (pkg/registry/core/pod) and the kubelet
// (GetKubeletContainerLogs and below) say to what it means. Neither gives a
// machine-readable reason, so the words are all there is.
var kinds = []struct {
	words string
	kind  error
}{
	{"is not valid for pod", ErrContainerUnknown},
	{"a container name must be specified", ErrContainerUnknown},
	{"is waiting to start", ErrNotStarted},
	{"is not available", ErrNotStarted},
	{"does not have a host assigned", ErrNotStarted},
	{"previous terminated container", ErrGone},
	{"is terminated", ErrGone}, // it ended without ever having had a container
	{"no logs available", ErrGone},
	{"unable to retrieve container logs", ErrGone},
	{"failed to try resolving symlinks in path", ErrGone},
	{"no such file or directory", ErrGone},
}

// classify returns the kind of a failed log request, or nil.
func classify(err error) error {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return nil
	}
	switch s := status.Status(); s.Code {
	case http.StatusNotFound:
		return ErrGone
	case http.StatusBadRequest:
		return kindOf(s.Message)
	}
	return nil
}

func kindOf(message string) error {
	for _, k := range kinds {
		if strings.Contains(message, k.words) {
			return k.kind
		}
	}
	return nil
}

// inBand matches the texts that the kubelet sends as the body of a 200: it has
// committed the status before it opens the log file, and writes its error,
// without a newline, where the log should be.
var inBand = regexp.MustCompile(`^(?:unable to retrieve container logs for [a-z0-9.-]+://\S*$` +
	`|failed to (?:try resolving symlinks in path|open log file|read log file|tail -?\d+ lines of log file|watch directory) "` +
	`|failed to create fsnotify watcher: )`)

// inBandError returns what a whole body, or its last line, means if it is one
// of the kubelet's errors, and nil if it is a log.
func inBandError(text string) error {
	if text == "" || len(text) > 4096 || strings.ContainsRune(text, '\n') {
		return nil
	}
	if !inBand.MatchString(text) {
		return nil
	}
	if kind := kindOf(text); kind != nil {
		return kind
	}
	return errKubelet
}

// errKubelet is a failure of the kubelet that may pass.
var errKubelet = errors.New("the kubelet could not read the log")
