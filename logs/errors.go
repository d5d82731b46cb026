package logs

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/plain"
)

var (
	// ErrGone means that the log no longer exists: the pod or its node is gone,
	// or the kubelet has removed the container. A retry does not help.
	ErrGone = errors.New("the log is gone")
	// ErrNotStarted means that the container has not started, so it has no log yet.
	ErrNotStarted = errors.New("the container has not started")
	// ErrContainerUnknown means that the pod has no container of that name, or
	// that it has several and Ref.Container is empty.
	ErrContainerUnknown = errors.New("no such container")
)

// Error is a failed read of one container's log. errors.Is and errors.As match
// both Kind and Err.
type Error struct {
	// Ref is the log that was read.
	Ref Ref
	// Kind is [ErrGone], [ErrNotStarted] or [ErrContainerUnknown], or nil for
	// any other failure.
	Kind error
	// Containers lists the pod's container names if Kind is ErrContainerUnknown and they
	// are known, as to a result. A Reader does not read the pod for them.
	Containers []string
	// Err is the API server's response, usually an apierrors.APIStatus, or the
	// error of the transport or of the context.
	Err error
}

// Error returns a message with the container and the pod, Kind, and the text of
// Err. For a 403 it names the verb to grant.
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
		b.WriteString(`: grant the verb "get" on pods/log`)
	}
	if e.Err != nil {
		b.WriteString(": " + plain.Text(e.Err.Error()))
	}
	return b.String()
}

// Unwrap returns those of Kind and Err that are not nil.
func (e *Error) Unwrap() []error {
	var all []error
	for _, err := range []error{e.Kind, e.Err} {
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}

// kinds maps parts of the messages of the API server (pkg/registry/core/pod) and
// of the kubelet (GetKubeletContainerLogs and below) to error kinds. Neither sets
// a machine-readable reason, so only the message can be matched.
var kinds = []struct {
	text string
	kind error
}{
	{"is not valid for pod", ErrContainerUnknown},
	{"a container name must be specified", ErrContainerUnknown},
	{"is waiting to start", ErrNotStarted},
	{"is not available", ErrNotStarted},
	{"does not have a host assigned", ErrNotStarted},
	{"previous terminated container", ErrGone},
	{"is terminated", ErrGone}, // its container was never created
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
		if strings.Contains(message, k.text) {
			return k.kind
		}
	}
	return nil
}

// inBand matches errors that the kubelet sends in the body of a 200 response: it
// sends the status before it opens the log file, and then writes the error,
// without a newline, in place of the log.
var inBand = regexp.MustCompile(`^(?:unable to retrieve container logs for [a-z0-9.-]+://\S*$` +
	`|failed to (?:try resolving symlinks in path|open log file|read log file|tail -?\d+ lines of log file|watch directory) "` +
	`|failed to create fsnotify watcher: )`)

// inBandError returns the error that a whole body, or its last line, stands for,
// or nil if it is log output.
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

// errKubelet is a transient failure of the kubelet.
var errKubelet = errors.New("the kubelet could not read the log")
