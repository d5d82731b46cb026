package kubelet

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// Logs opens the log of one container, as GET pods/{name}/log does: opts may
// ask for the previous instance, the last lines, only newer ones, timestamps, a
// limit of bytes, or to follow. Errors are those of the API server.
func (k *Kubelet) Logs(namespace, name, containerName string, opts *corev1.PodLogOptions) (io.ReadCloser, error) {
	pod, ok := k.cache.Pods.ByName(namespace, name)
	if !ok {
		return nil, apierrors.NewNotFound(corev1.Resource("pods"), name)
	}
	if opts == nil {
		opts = &corev1.PodLogOptions{}
	}
	if containerName == "" {
		if len(pod.Spec.Containers) > 1 {
			return nil, apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: %v", name, containerNames(pod)))
		}
		containerName = pod.Spec.Containers[0].Name
	}
	if !hasContainer(pod, containerName) {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", containerName, name))
	}
	if pod.Spec.NodeName == "" {
		return io.NopCloser(strings.NewReader("")), nil // as the API server answers
	}
	buffer, err := k.logOf(pod, containerName, opts.Previous)
	if err != nil {
		return nil, err
	}
	return newLogReader(buffer, opts, time.Now()), nil
}

func (k *Kubelet) logOf(pod *corev1.Pod, containerName string, previous bool) (*logBuffer, error) {
	k.mu.Lock()
	w := k.workers[pod.UID]
	dead := w != nil && w.node != nil && w.node.dead
	k.mu.Unlock()
	if dead {
		return nil, &apierrors.StatusError{ErrStatus: metav1.Status{
			Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError,
			Message: fmt.Sprintf("Get \"https://%s:10250/containerLogs/%s/%s/%s\": dial tcp %s:10250: connect: no route to host",
				pod.Status.HostIP, pod.Namespace, pod.Name, containerName, pod.Status.HostIP),
		}}
	}
	var logs logPair
	if w != nil {
		logs = w.logsOf(containerName)
	}
	if logs.now == nil {
		var err error
		if logs, err = k.storedLogs(pod, containerName, k.lastInstance(pod, containerName)); err != nil {
			return nil, apierrors.NewInternalError(err)
		}
	}
	switch {
	case previous && logs.now != nil && waits(pod, containerName):
		return logs.now, nil // the last instance is the previous one until the next has started
	case previous && logs.old == nil:
		return nil, apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", containerName, pod.Name))
	case previous:
		return logs.old, nil
	case logs.now == nil:
		return nil, apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: %s", containerName, pod.Name, waitingReason(pod, containerName)))
	}
	return logs.now, nil
}

// logPair are the logs of the present and of the previous instance.
type logPair struct{ now, old *logBuffer }

func (w *podWorker) logsOf(container string) logPair {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs[container]
}

// openLog gives a new instance of the container its log.
func (w *podWorker) openLog(container string, limit int, disk *logFile) *logBuffer {
	w.mu.Lock()
	defer w.mu.Unlock()
	buffer := newLogBuffer(limit, disk)
	w.logs[container] = logPair{now: buffer, old: w.logs[container].now}
	return buffer
}

func waitingReason(pod *corev1.Pod, name string) string {
	if s := statusOf(pod, name); s != nil && s.State.Waiting != nil && s.State.Waiting.Reason != "" {
		return s.State.Waiting.Reason
	}
	return reasonContainerCreating
}

// waits reports whether the container waits to be started.
func waits(pod *corev1.Pod, name string) bool {
	s := statusOf(pod, name)
	return s != nil && s.State.Waiting != nil
}

func hasContainer(pod *corev1.Pod, name string) bool {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for _, c := range list {
			if c.Name == name {
				return true
			}
		}
	}
	return false
}

func containerNames(pod *corev1.Pod) []string {
	var names []string
	for _, c := range pod.Spec.Containers {
		names = append(names, c.Name)
	}
	return names
}

// logReader reads a logBuffer from where opts say.
type logReader struct {
	buffer *logBuffer
	opts   corev1.PodLogOptions
	left   int64 // bytes that may still be read; negative: no limit
	next   int   // sequence number of the chunk to read next
	rest   []byte

	once sync.Once
	done chan struct{}
}

func newLogReader(b *logBuffer, opts *corev1.PodLogOptions, now time.Time) *logReader {
	r := &logReader{buffer: b, opts: *opts, left: -1, done: make(chan struct{})}
	if opts.LimitBytes != nil {
		r.left = *opts.LimitBytes
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	from := 0
	if opts.TailLines != nil {
		from = tailStart(b.chunks, int(*opts.TailLines))
	}
	since := time.Time{}
	if opts.SinceTime != nil {
		since = opts.SinceTime.Time
	}
	if opts.SinceSeconds != nil {
		since = now.Add(-time.Duration(*opts.SinceSeconds) * time.Second)
	}
	for from < len(b.chunks) && (b.chunks[from].at.Before(since) || !since.IsZero() && b.chunks[from].cont) {
		from++
	}
	r.next = b.first + from
	return r
}

// Read returns what there is; when following it waits for more until the
// container has ended or the reader is closed.
func (r *logReader) Read(p []byte) (int, error) {
	for {
		if r.left == 0 {
			return 0, io.EOF
		}
		if len(r.rest) > 0 {
			n := len(r.rest)
			if r.left > 0 {
				n = int(min(int64(n), r.left))
			}
			n = copy(p, r.rest[:n])
			r.rest = r.rest[n:]
			if r.left > 0 {
				r.left -= int64(n)
			}
			return n, nil
		}
		wait, ok := r.take()
		if !ok {
			return 0, io.EOF
		}
		if wait == nil {
			continue
		}
		select {
		case <-wait:
		case <-r.done:
			return 0, io.ErrClosedPipe
		}
	}
}

// take fetches the next chunk into rest, or returns a channel to wait on, or
// false at the end.
func (r *logReader) take() (<-chan struct{}, bool) {
	b := r.buffer
	b.mu.Lock()
	defer b.mu.Unlock()
	r.next = max(r.next, b.first) // what was dropped meanwhile is lost
	if at := r.next - b.first; at < len(b.chunks) {
		c := b.chunks[at]
		last := at == len(b.chunks)-1
		if !last || c.whole() || b.closed || !r.opts.Follow || len(c.text) >= chunkLimit {
			r.next++
			r.rest = r.render(c)
			return nil, true
		}
	}
	if b.closed || !r.opts.Follow {
		return nil, false
	}
	if b.changed == nil {
		b.changed = make(chan struct{})
	}
	return b.changed, true
}

func (r *logReader) render(c chunk) []byte {
	if !r.opts.Timestamps || c.cont {
		return append([]byte(nil), c.text...)
	}
	out := c.at.UTC().AppendFormat(nil, "2006-01-02T15:04:05.000000000Z07:00")
	return append(append(out, ' '), c.text...)
}

// Close ends a Read that waits.
func (r *logReader) Close() error {
	r.once.Do(func() { close(r.done) })
	return nil
}

// Limits of termination messages (kubelet): a message file, a tail of the log
// instead of one, and all messages of a pod together.
const (
	messageLimit      = 4096
	fallbackLines     = 80
	fallbackLimit     = 2048
	podMessageLimit   = 12288
	reasonCannotRun   = "ContainerCannotRun"
	evictionCondition = "TerminationByKubelet"
)

// terminationMessage is the message of the terminated state.
func (w *podWorker) terminationMessage(c *container, exit containers.Exit) string {
	message := exit.TerminationMessage
	limit := min(messageLimit, podMessageLimit/max(1, len(w.containers)))
	if message == "" && exit.Code != 0 && exit.Reason != reasonCannotRun && exit.Message == "" &&
		c.spec.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
		if logs := w.logsOf(c.spec.Name); logs.now != nil {
			message = logs.now.tail(fallbackLines, fallbackLimit)
		}
	}
	if message == "" {
		message = exit.Message
	}
	return message[:min(len(message), limit)]
}

// closeLogs ends the logs, at which readers that follow them stop.
func (w *podWorker) closeLogs() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, logs := range w.logs {
		logs.now.close()
	}
}

// dropLogs forgets the logs of a pod that is gone.
func (k *Kubelet) dropLogs(w *podWorker) {
	w.closeLogs()
	w.mu.Lock()
	w.logs = map[string]logPair{}
	w.mu.Unlock()
	if k.opts.LogDir != "" {
		_ = os.RemoveAll(k.podLogs(w.uid)) // the next start tries again
	}
}
