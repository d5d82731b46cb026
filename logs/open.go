package logs

import (
	"context"
	"errors"
	"io"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// errIdle is why a log stream was ended here.
var errIdle = errors.New("nothing came for too long (is the pod's node alive?)")

// open opens a log. It fails, and a Read of the stream does, when nothing comes for a
// while: nothing else reveals a dead connection, or a kubelet whose node has died.
func (r *Reader) open(ctx context.Context, ref Ref, options *corev1.PodLogOptions) (io.ReadCloser, error) {
	ctx, end := context.WithCancelCause(ctx)
	idle := time.AfterFunc(r.idle, func() { end(errIdle) })
	in, err := r.client.CoreV1().Pods(ref.Namespace).GetLogs(ref.Pod, options).Stream(ctx)
	if err != nil {
		idle.Stop()
		if errors.Is(context.Cause(ctx), errIdle) {
			err = errIdle
		}
		end(nil)
		return nil, err
	}
	release := context.AfterFunc(ctx, func() { _ = in.Close() })
	return &stream{in: in, ctx: ctx, idle: idle, after: r.idle, end: func() {
		idle.Stop()
		release()
		end(nil)
	}}, nil
}

// stream is the body of a log request.
type stream struct {
	in    io.ReadCloser
	ctx   context.Context // of the request
	end   func()
	idle  *time.Timer
	after time.Duration
}

// Read implements [io.Reader]. Only the time that one takes counts, not the time between
// two.
func (s *stream) Read(p []byte) (int, error) {
	s.idle.Reset(s.after)
	defer s.idle.Stop()
	n, err := s.in.Read(p)
	if err != nil && errors.Is(context.Cause(s.ctx), errIdle) {
		err = errIdle
	}
	return n, err
}

// Close implements [io.Closer].
func (s *stream) Close() error {
	s.end()
	return s.in.Close()
}
