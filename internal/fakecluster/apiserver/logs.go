package apiserver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// LogSource supplies the log of one container of a pod that exists and has been
// scheduled. It applies the options (previous, follow, tailLines, ...) itself. The
// reader's Close must unblock a Read; it is called at the latest when the request's
// context ends. An API status error reaches the client as it is, any other as a 500.
type LogSource func(namespace, pod, container string, opts *corev1.PodLogOptions) (io.ReadCloser, error)

// SetLogSource installs the source of pod logs. Without one, logs are empty.
func (s *Server) SetLogSource(source LogSource) {
	if source == nil {
		s.logSource.Store(nil)
		return
	}
	s.logSource.Store(&source)
}

// newLogRequest returns a request of a real REST client, so that Stream, Do and
// DoRaw behave as in production, over a transport that calls the server.
func newLogRequest(cs *Clientset, ns, name string, opts *corev1.PodLogOptions) *rest.Request {
	gv := corev1.SchemeGroupVersion
	client, err := rest.NewRESTClient(
		&url.URL{Scheme: "https", Host: "fake.invalid"}, "/api/v1",
		rest.ClientContentConfig{
			GroupVersion: gv,
			Negotiator:   runtime.NewClientNegotiator(scheme.Codecs.WithoutConversion(), gv),
		},
		nil, &http.Client{Transport: logTransport{cs, ns, name, *opts.DeepCopy()}})
	if err != nil {
		// The base URL is a constant.
		panic("apiserver: " + err.Error())
	}
	return client.Get().Namespace(ns).Name(name).Resource("pods").SubResource("log").VersionedParams(opts, scheme.ParameterCodec)
}

// logTransport answers one GET of a pod's log. It holds the options: client-go
// can encode the options into a URL, but not decode them.
type logTransport struct {
	cs       *Clientset
	ns, name string
	opts     corev1.PodLogOptions
}

// RoundTrip implements http.RoundTripper.
func (t logTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	opts := t.opts
	c := call{user: t.cs.user, verb: "get", res: pods, sub: "log", ns: t.ns, name: t.name}
	body, err := serve(req.Context(), t.cs.s, c, func() (io.ReadCloser, error) { return t.cs.s.openLog(c, &opts) })
	if err != nil {
		return failure(req, err)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/2.0", ProtoMajor: 2,
		Header:        http.Header{"Content-Type": {"text/plain"}},
		ContentLength: -1, Request: req, Body: newLogBody(req.Context(), body),
	}, nil
}

// failure returns an HTTP response for an API status error, and an error for others.
func failure(req *http.Request, err error) (*http.Response, error) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		var u *url.Error
		if errors.As(err, &u) {
			return nil, u.Err // http.Client wraps it again
		}
		return nil, err
	}
	st := status.Status()
	st.TypeMeta = metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}
	raw, jsonErr := json.Marshal(st)
	if jsonErr != nil {
		return nil, jsonErr
	}
	header := http.Header{"Content-Type": {"application/json"}}
	if st.Details != nil && st.Details.RetryAfterSeconds > 0 {
		header.Set("Retry-After", strconv.Itoa(int(st.Details.RetryAfterSeconds)))
	}
	return &http.Response{
		StatusCode: int(st.Code), Status: http.StatusText(int(st.Code)), Proto: "HTTP/2.0", ProtoMajor: 2,
		Header: header, ContentLength: int64(len(raw)), Request: req, Body: io.NopCloser(bytes.NewReader(raw)),
	}, nil
}

// openLog checks what the API server and the kubelet check, with the same messages,
// and then opens the source.
func (s *Server) openLog(c call, opts *corev1.PodLogOptions) (io.ReadCloser, error) {
	pod, _ := s.load(pods, c.ns, c.name).(*corev1.Pod)
	if pod == nil {
		return nil, apierrors.NewNotFound(pods.groupResource(), c.name)
	}
	container, err := logContainer(pod, opts.Container)
	if err != nil {
		return nil, err
	}
	empty := io.NopCloser(strings.NewReader(""))
	if pod.Spec.NodeName == "" {
		return empty, nil
	}
	if err := logReady(pod, container, opts.Previous); err != nil {
		return nil, err
	}
	source := s.logSource.Load()
	if source == nil {
		return empty, nil
	}
	body, err := (*source)(c.ns, c.name, container, opts)
	if err != nil {
		var status apierrors.APIStatus
		if !errors.As(err, &status) {
			err = apierrors.NewInternalError(err)
		}
		return nil, err
	}
	return body, nil
}

func logContainer(pod *corev1.Pod, asked string) (string, error) {
	if asked == "" {
		if len(pod.Spec.Containers) == 1 {
			return pod.Spec.Containers[0].Name, nil
		}
		var names []string
		registry.EachContainer(&pod.Spec, func(c *corev1.Container) { names = append(names, c.Name) })
		return "", apierrors.NewBadRequest(fmt.Sprintf("a container name must be specified for pod %s, choose one of: %s", pod.Name, names))
	}
	found := false
	registry.EachContainer(&pod.Spec, func(c *corev1.Container) { found = found || c.Name == asked })
	if !found {
		return "", apierrors.NewBadRequest(fmt.Sprintf("container %s is not valid for pod %s", asked, pod.Name))
	}
	return asked, nil
}

// logReady is the kubelet's validateContainerLogStatus: a container that has never
// run has no log.
func logReady(pod *corev1.Pod, name string, previous bool) error {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, st := range list {
			if st.Name != name {
				continue
			}
			last := st.LastTerminationState.Terminated
			switch waiting := st.State.Waiting; {
			case previous && last == nil:
				return apierrors.NewBadRequest(fmt.Sprintf("previous terminated container %q in pod %q not found", name, pod.Name))
			case waiting == nil || last != nil:
				return nil
			case waiting.Reason == "ImagePullBackOff" || waiting.Reason == "ErrImagePull":
				return apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: trying and failing to pull image", name, pod.Name))
			default:
				return apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is waiting to start: %s", name, pod.Name, waiting.Reason))
			}
		}
	}
	return apierrors.NewBadRequest(fmt.Sprintf("container %q in pod %q is not available", name, pod.Name))
}

// logBody ends with the request's context, as the body of a real response does.
type logBody struct {
	ctx  context.Context
	src  io.ReadCloser
	stop func() bool
}

func newLogBody(ctx context.Context, src io.ReadCloser) io.ReadCloser {
	return &logBody{ctx: ctx, src: src, stop: context.AfterFunc(ctx, func() { _ = src.Close() })}
}

// Read implements io.Reader.
func (b *logBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := b.src.Read(p)
	if cause := b.ctx.Err(); cause != nil && err != nil {
		return n, cause
	}
	return n, err
}

// Close implements io.Closer. The source is closed once.
func (b *logBody) Close() error {
	if b.stop() {
		return b.src.Close()
	}
	return nil
}
