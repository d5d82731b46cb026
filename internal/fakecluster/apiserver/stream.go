package apiserver

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
)

// watchObjects is GET of a collection with watch=true, or of an object, which is then
// selected by its name.
func watchObjects(ctx context.Context, x *exchange) (*response, error) {
	var opts metav1.ListOptions
	if err := x.options(&opts); err != nil {
		return nil, err
	}
	if x.call.name != "" {
		opts.FieldSelector = fields.OneTermEqualSelector("metadata.name", x.call.name).String()
	}
	w, err := x.s.watch(x.call, opts)
	if err != nil {
		return nil, err
	}
	return &response{
		stream: func(x *exchange) error {
			x.open(x.format.streaming)
			return w.run(ctx, x.writeEvent)
		},
		discard: func() { x.s.unregister(w) },
	}, nil
}

// open sends the header of a stream.
func (x *exchange) open(contentType string) {
	x.w.Header().Set("Content-Type", contentType)
	x.w.WriteHeader(http.StatusOK)
	x.flush()
}

func (x *exchange) flush() {
	if f, ok := x.w.(http.Flusher); ok {
		f.Flush()
	}
}

// writeEvent sends one event.
func (x *exchange) writeEvent(p pending) error {
	var whole []byte
	var err error
	if p.status != nil {
		whole, err = x.format.object(statusKind, p.status)
	} else {
		whole, err = x.view.one(x.format, p.rev)
	}
	if err != nil {
		return err
	}
	frame, err := x.format.event(p.kind, whole)
	if err != nil {
		return err
	}
	if _, err := x.w.Write(frame); err != nil {
		return err
	}
	x.flush()
	return nil
}

// getLog is GET pods/log.
func getLog(ctx context.Context, x *exchange) (*response, error) {
	opts, err := x.logOptions()
	if err != nil {
		return nil, err
	}
	source, err := x.s.openLog(x.call, opts)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = source.Close() })
	discard := func() {
		if stop() {
			_ = source.Close()
		}
	}
	return &response{discard: discard, stream: func(x *exchange) error {
		defer discard()
		if opts.Follow {
			x.open("text/plain")
		}
		x.w.Header().Set("Content-Type", "text/plain")
		return x.copy(source, opts.Follow)
	}}, nil
}

// copy sends what source has. Each piece is sent at once to a client that follows.
func (x *exchange) copy(source io.Reader, flush bool) error {
	buffer := make([]byte, 32<<10)
	for {
		n, err := source.Read(buffer)
		if n > 0 {
			if _, err := x.w.Write(buffer[:n]); err != nil {
				return err
			}
			if flush {
				x.flush()
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// logOptions reads the options of the request. client-go can encode them into a URL,
// and has nothing to decode them.
func (x *exchange) logOptions() (*corev1.PodLogOptions, error) {
	opts := &corev1.PodLogOptions{Container: x.query.Get("container")}
	for name, into := range map[string]*bool{"follow": &opts.Follow, "previous": &opts.Previous, "timestamps": &opts.Timestamps} {
		if text := x.query.Get(name); text != "" {
			value, err := strconv.ParseBool(text)
			if err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
			*into = value
		}
	}
	for name, into := range map[string]**int64{"sinceSeconds": &opts.SinceSeconds, "tailLines": &opts.TailLines, "limitBytes": &opts.LimitBytes} {
		if text := x.query.Get(name); text != "" {
			value, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, apierrors.NewBadRequest(err.Error())
			}
			*into = &value
		}
	}
	if text := x.query.Get("sinceTime"); text != "" {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		since := metav1.NewTime(at)
		opts.SinceTime = &since
	}
	return opts, nil
}
