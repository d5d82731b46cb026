package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

const (
	// DefaultTailLines is the number of lines that [Reader.Tail] returns by default.
	DefaultTailLines int64 = 100
	// DefaultMaxBytes is the default of [Reader.MaxBytes]: 16 MiB.
	DefaultMaxBytes = 16 << 20
	// maxTails is how many calls of [Reader.Tail] read at a time. When thousands of steps
	// fail at once each of them may ask for its log, and each log passes through the API
	// server from a kubelet, and takes up to twice MaxBytes here.
	maxTails = 16
	// DefaultMaxLineBytes is the default of [Reader.MaxLineBytes]: 1 MiB.
	DefaultMaxLineBytes = 1 << 20
	// DefaultMaxStreams is the default of [Reader.MaxStreams], as that of stern. An API
	// server allows 100 streams on a connection, which requests need as well.
	DefaultMaxStreams = 50
)

// Ref names one container's log.
type Ref struct {
	// Namespace is the pod's namespace.
	Namespace string
	// Pod is the pod's name.
	Pod string
	// Container is the container's name. It may be empty if the pod has only one
	// container.
	Container string
}

// String returns the container and namespace/pod, for messages.
func (r Ref) String() string {
	if r.Container == "" {
		return fmt.Sprintf("pod %s/%s", r.Namespace, r.Pod)
	}
	return fmt.Sprintf("container %q of pod %s/%s", r.Container, r.Namespace, r.Pod)
}

// Reader reads container logs. It is safe for concurrent use; its fields must be set
// before the first call. It needs the RBAC verb get on pods/log, and on pods for the
// container names in an [Error] of Tail.
type Reader struct {
	// MaxBytes limits the text that [Reader.Tail] returns, in bytes. Excess output
	// is dropped from the start: the end of a log is the useful part. Tail buffers
	// up to twice as much while it reads. Zero or less means [DefaultMaxBytes].
	MaxBytes int
	// MaxLineBytes limits one line of [Reader.Follow], in bytes. The rest of a
	// longer line is dropped and counted in [Report.Truncated]. Zero or less means
	// [DefaultMaxLineBytes].
	MaxLineBytes int
	// MaxStreams limits how many logs [Reader.Follow] has open at a time. An eighth of
	// them, at least one of two or more, is only for containers that have ended. Zero or
	// less means [DefaultMaxStreams].
	MaxStreams int

	client  kubernetes.Interface
	backoff wait.Backoff  // between two attempts without progress
	idle    time.Duration // a stream without data ends after this time
	settle  time.Duration // and one that is followed after this time since its container's end
	slow    time.Duration // and one whose writer does not take what was read in this time
	tails   chan struct{} // one element for each Tail that reads
	turns   turns
}

// NewReader returns a Reader with default limits.
func NewReader(client kubernetes.Interface) *Reader {
	return &Reader{
		client:  client,
		backoff: wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 7, Cap: 10 * time.Second},
		idle:    time.Minute,
		settle:  time.Second,
		slow:    10 * time.Second,
		tails:   make(chan struct{}, maxTails),
	}
}

// TailOptions say which part of a log [Reader.Tail] reads.
type TailOptions struct {
	// Lines is the number of lines from the end. 0 means [DefaultTailLines], and a
	// negative number all that the kubelet has. The kubelet counts a line of more than
	// 16 KiB as several.
	Lines int64
	// Since leaves out what was written before the second that it is in. The zero time
	// leaves out nothing.
	Since time.Time
	// Previous reads the log of the container's run before the newest one.
	Previous bool
}

// Tail returns the last lines of a container's log as of now.
//
// Tail fails when nothing comes for a minute. At most 16 calls of a Reader read at a
// time; additional ones wait.
//
// Tail returns "" for a container without output and, as the API does, for a pod
// that is not bound to a node yet. Every error is an [*Error]; errors.Is matches
// [ErrGone], also of a previous run that does not exist, [ErrNotStarted] and
// [ErrContainerUnknown].
func (r *Reader) Tail(ctx context.Context, ref Ref, o TailOptions) (string, error) {
	if err := ref.validate(); err != nil {
		return "", err
	}
	select {
	case r.tails <- struct{}{}:
		defer func() { <-r.tails }()
	case <-ctx.Done():
		return "", &Error{Ref: ref, Err: context.Cause(ctx)}
	}
	stream, err := r.open(ctx, ref, o.of(ref))
	if err != nil {
		return "", &Error{Ref: ref, Kind: classify(err), Err: err}
	}
	defer func() { _ = stream.Close() }() // the text is complete or Tail fails anyway
	tail := tailBuffer{limit: positiveOr(r.MaxBytes, DefaultMaxBytes)}
	if _, err := tail.ReadFrom(stream); err != nil {
		return "", &Error{Ref: ref, Err: fmt.Errorf("the log stream was interrupted: %w", err)}
	}
	text := tail.String()
	if kind := inBandError(text); kind != nil {
		return "", &Error{Ref: ref, Kind: kind, Err: errors.New(text)}
	}
	return text, nil
}

// of returns the options of the request.
func (o TailOptions) of(ref Ref) *corev1.PodLogOptions {
	out := &corev1.PodLogOptions{Container: ref.Container, Previous: o.Previous}
	if o.Lines == 0 {
		o.Lines = DefaultTailLines
	}
	if o.Lines > 0 {
		out.TailLines = &o.Lines
	}
	if !o.Since.IsZero() {
		out.SinceTime = &metav1.Time{Time: o.Since.Truncate(time.Second)}
	}
	return out
}

func (r Ref) validate() error {
	if r.Namespace == "" || r.Pod == "" {
		return &Error{Ref: r, Err: errors.New("namespace and pod name must not be empty")}
	}
	return nil
}

func positiveOr(n, fallback int) int {
	if n > 0 {
		return n
	}
	return fallback
}
