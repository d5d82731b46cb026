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
)

const (
	// DefaultTailLines is the number of lines [Reader.Tail] returns when asked for 0.
	DefaultTailLines int64 = 100
	// DefaultMaxBytes is the default of [Reader.MaxBytes]: 16 MiB.
	DefaultMaxBytes = 16 << 20
	// DefaultMaxLineBytes is the default of [Reader.MaxLineBytes]: 1 MiB.
	DefaultMaxLineBytes = 1 << 20
)

// Ref names one container's log.
type Ref struct {
	// Namespace is the pod's namespace.
	Namespace string
	// Pod is the pod's name.
	Pod string
	// UID is the pod's, or empty. [Reader.Follow] reads the pod anyway and
	// refuses one with another UID. [Reader.Tail] does not spend a request on it:
	// a Job's pods end in five random characters, so a pod's name does not come
	// back as another pod.
	UID types.UID
	// Container may be empty if the pod has only one.
	Container string
}

// String returns namespace/pod and the container, for messages.
func (r Ref) String() string {
	if r.Container == "" {
		return fmt.Sprintf("pod %s/%s", r.Namespace, r.Pod)
	}
	return fmt.Sprintf("container %q of pod %s/%s", r.Container, r.Namespace, r.Pod)
}

// Reader reads container logs. Its limits may be changed before first use;
// then it is safe for concurrent use. It needs the verb get on pods/log, and
// on pods for Follow and for the list of containers in an error.
type Reader struct {
	// MaxBytes bounds what [Reader.Tail] returns, in bytes. What is over is
	// dropped from the beginning: the end of a log is what tells. Tail holds up
	// to twice as much while it reads. 0: [DefaultMaxBytes].
	MaxBytes int
	// MaxLineBytes bounds one line of [Reader.Follow], in bytes; the rest of a
	// longer line is dropped and counted. 0: [DefaultMaxLineBytes].
	MaxLineBytes int

	client  kubernetes.Interface
	backoff wait.Backoff  // between two openings without progress
	idle    time.Duration // a silent stream is opened again after this time
}

// NewReader returns a Reader with default limits.
func NewReader(client kubernetes.Interface) *Reader {
	return &Reader{
		client:  client,
		backoff: wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.2, Steps: 7, Cap: 10 * time.Second},
		idle:    time.Minute,
	}
}

// Tail returns the last lines of a container's log as they are now; 0 asks for
// [DefaultTailLines], a negative number is an error. The server picks the
// lines, and the kubelet counts a line of more than 16 KiB as several.
//
// A container without output gives "". So does, by the API, a pod that no node
// has taken yet. The error is an [*Error] for everything the server answered;
// errors.Is tells [ErrGone], [ErrNotStarted] and [ErrContainerUnknown].
func (r *Reader) Tail(ctx context.Context, ref Ref, lines int64) (string, error) {
	switch {
	case lines < 0:
		return "", &Error{Ref: ref, Err: fmt.Errorf("%d lines asked for: the number must not be negative, 0 means %d", lines, DefaultTailLines)}
	case lines == 0:
		lines = DefaultTailLines
	}
	if err := ref.validate(); err != nil {
		return "", err
	}
	stream, err := r.client.CoreV1().Pods(ref.Namespace).GetLogs(ref.Pod, &corev1.PodLogOptions{
		Container: ref.Container,
		TailLines: &lines,
	}).Stream(ctx)
	if err != nil {
		return "", r.explain(ctx, ref, err)
	}
	defer func() { _ = stream.Close() }() // what was read is read
	tail := tailBuffer{limit: positiveOr(r.MaxBytes, DefaultMaxBytes)}
	if _, err := tail.ReadFrom(stream); err != nil {
		return "", &Error{Ref: ref, Err: fmt.Errorf("the log was cut while reading: %w", err)}
	}
	text := tail.String()
	if kind := inBandError(text); kind != nil {
		return "", &Error{Ref: ref, Kind: kind, Err: errors.New(text)}
	}
	return text, nil
}

// explain turns the server's answer into an *Error. For an unknown container
// it spends one request to say which there are.
func (r *Reader) explain(ctx context.Context, ref Ref, err error) *Error {
	e := &Error{Ref: ref, Kind: classify(err), Err: err}
	if errors.Is(e.Kind, ErrContainerUnknown) {
		if pod, err := r.client.CoreV1().Pods(ref.Namespace).Get(ctx, ref.Pod, metav1.GetOptions{}); err == nil {
			e.Containers = containerNames(pod)
		}
	}
	return e
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
