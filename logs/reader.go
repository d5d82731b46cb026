package logs

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/apicall"
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
)

// Ref names one container's log.
type Ref struct {
	// Namespace is the pod's namespace.
	Namespace string
	// Pod is the pod's name.
	Pod string
	// UID is the UID of the pod, or empty. [Reader.Follow] returns [ErrGone] if the
	// pod has another UID. [Reader.Tail] ignores it, to save a request: the name of
	// a Job's pod ends in five random characters, so a name is hardly ever reused.
	UID types.UID
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

// Reader reads container logs. It is safe for concurrent use; MaxBytes and
// MaxLineBytes must be set before the first call. It needs the RBAC verb get on
// pods/log, and on pods for Follow and for the container names in an [Error].
type Reader struct {
	// MaxBytes limits the text that [Reader.Tail] returns, in bytes. Excess output
	// is dropped from the start: the end of a log is the useful part. Tail buffers
	// up to twice as much while it reads. Zero or less means [DefaultMaxBytes].
	MaxBytes int
	// MaxLineBytes limits one line of [Reader.Follow], in bytes. The rest of a
	// longer line is dropped and counted in [Report.Truncated]. Zero or less means
	// [DefaultMaxLineBytes].
	MaxLineBytes int

	client  kubernetes.Interface
	backoff wait.Backoff  // between two attempts without progress
	idle    time.Duration // a stream without data ends after this time
	tails   chan struct{} // one element for each Tail that reads
}

// NewReader returns a Reader with default limits.
func NewReader(client kubernetes.Interface) *Reader {
	return &Reader{
		client:  client,
		backoff: wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 7, Cap: 10 * time.Second},
		idle:    time.Minute,
		tails:   make(chan struct{}, maxTails),
	}
}

// Tail returns the last lines of a container's log as of now. 0 lines means
// [DefaultTailLines]; a negative number is an error. The kubelet counts a line of
// more than 16 KiB as several.
//
// Tail fails when nothing comes for a minute. At most 16 calls of a Reader read at a
// time; additional ones wait.
//
// Tail returns "" for a container without output and, as the API does, for a pod
// that is not bound to a node yet. Every error is an [*Error]; errors.Is matches
// [ErrGone], [ErrNotStarted] and [ErrContainerUnknown].
func (r *Reader) Tail(ctx context.Context, ref Ref, lines int64) (string, error) {
	switch {
	case lines < 0:
		return "", &Error{Ref: ref, Err: fmt.Errorf("number of lines is %d: must not be negative, 0 means %d", lines, DefaultTailLines)}
	case lines == 0:
		lines = DefaultTailLines
	}
	if err := ref.validate(); err != nil {
		return "", err
	}
	select {
	case r.tails <- struct{}{}:
		defer func() { <-r.tails }()
	case <-ctx.Done():
		return "", &Error{Ref: ref, Err: context.Cause(ctx)}
	}
	stream, err := r.open(ctx, ref, &corev1.PodLogOptions{
		Container: ref.Container,
		TailLines: &lines,
	})
	if err != nil {
		return "", r.readError(ctx, ref, err)
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

// readError wraps the error of a log request in an *Error. For an unknown container
// it reads the pod to list the names of its containers.
func (r *Reader) readError(ctx context.Context, ref Ref, err error) *Error {
	e := &Error{Ref: ref, Kind: classify(err), Err: err}
	if errors.Is(e.Kind, ErrContainerUnknown) {
		if pod, err := r.pod(ctx, ref); err == nil {
			e.Containers = containerNames(pod)
		}
	}
	return e
}

func (r *Reader) pod(ctx context.Context, ref Ref) (*corev1.Pod, error) {
	return apicall.Bounded(ctx, func(ctx context.Context) (*corev1.Pod, error) {
		return r.client.CoreV1().Pods(ref.Namespace).Get(ctx, ref.Pod, metav1.GetOptions{})
	})
}

func (r Ref) validate() error {
	if r.Namespace == "" || r.Pod == "" {
		return &Error{Ref: r, Err: errors.New("namespace and pod name must not be empty")}
	}
	return nil
}

func containerNames(pod *corev1.Pod) []string {
	var names []string
	for _, c := range pod.Spec.InitContainers {
		names = append(names, c.Name)
	}
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	return names
}

func positiveOr(n, fallback int) int {
	if n > 0 {
		return n
	}
	return fallback
}
