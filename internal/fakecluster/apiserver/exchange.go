package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"runtime"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes/scheme"
)

// exchange is one HTTP request and its response.
type exchange struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	query  url.Values
	call   call
	format *format // of the response
	view   view    // of the objects in it
}

// response is the response to a request that has succeeded.
type response struct {
	code int
	// encode returns the body, unless stream writes it.
	encode func(f *format) ([]byte, error)
	stream func(x *exchange) error
	// discard releases the stream if it is not sent.
	discard func()
}

// ServeHTTP implements http.Handler. The user is the request's bearer token.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: w, r: r}
	if r.URL.RawQuery != "" {
		x.query = r.URL.Query()
	}
	c, ok := s.resolve(r, x.query)
	switch {
	case !ok:
		s.serveNonResource(w, r)
		return
	case c.verb == "" && c.res.custom && c.ns == "" && c.res.namespaced:
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	case c.verb == "" && c.res.custom && c.name == "":
		x.format = jsonFormat
		x.send(nil, apierrors.NewBadRequest("name must be provided"))
		return
	case c.verb == "":
		x.format = jsonFormat
		x.send(nil, routeError(http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "the server does not allow this method on the requested resource"))
		return
	}
	c.user, c.manager = userOf(r), managerOf(r, x.query)
	x.call = c
	req := c.request()
	req.UserAgent = r.UserAgent()
	if req.Name == "" && x.query != nil && c.verb != "create" {
		req.Name = selectedName(x.query)
	}
	s.stats.request(req)
	var notAcceptable error
	x.format, x.view, notAcceptable = negotiate(r.Header.Get("Accept"), c, x.query)
	fault := s.takeFault(req)
	a, err := x.perform(r.Context(), req, fault, notAcceptable)
	s.notifyAudit(req, err)
	if fault.Body != nil {
		x.w = disturb(r.Context(), w, fault.Body)
	}
	x.send(a, err)
}

// userOf returns the name of the user, which is the bearer token.
func userOf(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return "system:anonymous"
}

// managerOf returns who manages the fields that the request sets.
func managerOf(r *http.Request, query url.Values) string {
	if name := query.Get("fieldManager"); name != "" {
		return name
	}
	name, _, _ := strings.Cut(r.UserAgent(), "/")
	return name[:min(len(name), validation.FieldManagerMaxLength)]
}

// perform executes the request, with a fault that may be empty.
func (x *exchange) perform(ctx context.Context, req Request, fault *Fault, notAcceptable error) (*response, error) {
	if !pause(ctx, fault.Delay) {
		return nil, context.Cause(ctx)
	}
	if fault.Before != nil {
		return nil, fault.Before
	}
	if err := x.s.authorize(req); err != nil {
		return nil, err
	}
	if notAcceptable != nil {
		return nil, notAcceptable
	}
	a, err := x.call.res.operations(x.call.sub)[x.call.verb](ctx, x)
	if err != nil {
		return nil, err
	}
	if err = fault.After; !pause(ctx, fault.ResponseDelay) {
		err = context.Cause(ctx)
	}
	if err != nil && a.discard != nil {
		a.discard()
	}
	return a, err
}

// send writes the response, or the Status of an API error, or breaks the connection
// with any other error.
func (x *exchange) send(a *response, err error) {
	if err == nil && a.stream != nil {
		if err := a.stream(x); err != nil && !errors.Is(err, errTruncated) {
			abort(x.w, err)
		}
		return
	}
	code := http.StatusOK
	var body []byte
	if err == nil {
		code = a.code
		if body, err = a.encode(x.format); err != nil {
			err = apierrors.NewInternalError(err)
		}
	}
	if err != nil {
		var refused apierrors.APIStatus
		if !errors.As(err, &refused) {
			abort(x.w, err)
		}
		status := refused.Status()
		code = x.failure(&status)
		if body, err = x.format.object(statusKind, &status); err != nil {
			abort(x.w, err)
		}
	}
	x.w.Header().Set("Content-Type", x.format.mediaType)
	x.w.WriteHeader(code)
	_, _ = x.w.Write(body) // the client may have canceled the request
}

// failure completes a Status and the header of its response. It returns the code.
func (x *exchange) failure(status *metav1.Status) int {
	status.TypeMeta = metav1.TypeMeta{}
	if status.Status == "" {
		status.Status = metav1.StatusFailure
	}
	if status.Code == 0 {
		status.Code = http.StatusInternalServerError
	}
	if d := status.Details; d != nil && d.RetryAfterSeconds > 0 {
		x.w.Header().Set("Retry-After", strconv.Itoa(int(d.RetryAfterSeconds)))
	}
	return int(status.Code)
}

// warn adds a warning to the response (KEP-1693).
func (x *exchange) warn(text string) {
	const miscellaneous = 299
	if header, err := utilnet.NewWarningHeader(miscellaneous, "-", text); err == nil {
		x.w.Header().Add("Warning", header)
	}
}

// warnOf adds warnings about the fields of a body.
func (x *exchange) warnOf(errs []error) {
	for _, err := range errs {
		// A YAML parser has several errors in one, each on its line.
		text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "error converting YAML to JSON: "), "yaml: ")
		for line := range strings.SplitSeq(text, "\n") {
			if line = strings.TrimSpace(line); line != "unmarshal errors:" {
				x.warn(line)
			}
		}
	}
}

// abort ends the exchange without a response, or in the middle of one. A client in
// memory receives err; a real connection is reset.
func abort(w http.ResponseWriter, err error) {
	if w, ok := w.(interface{ abort(err error) }); ok {
		w.abort(err)
	}
	panic(http.ErrAbortHandler)
}

// routeError is the error of a path or method that does not exist in a group that does.
func routeError(code int32, reason metav1.StatusReason, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: code, Reason: reason, Message: message, Details: &metav1.StatusDetails{},
	}}
}

// groupServed reports whether the path is below that of one of Kubernetes' own groups.
func (s *Server) groupServed(path string) bool {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if parts[0] == "api" {
		return true
	}
	return parts[0] == "apis" && (len(parts) == 1 || scheme.Scheme.IsGroupRegistered(parts[1]))
}

// serveNonResource responds to requests for paths that are not a resource.
func (s *Server) serveNonResource(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/version":
		major, rest, _ := strings.Cut(strings.TrimPrefix(s.opts.Version, "v"), ".")
		minor, _, _ := strings.Cut(rest, ".")
		body, err := json.Marshal(version.Info{
			Major: major, Minor: minor, GitVersion: s.opts.Version, GitTreeState: "clean",
			GoVersion: runtime.Version(), Compiler: runtime.Compiler, Platform: runtime.GOOS + "/" + runtime.GOARCH,
		})
		writeDocument(w, jsonFormat.mediaType, body, err)
	case "/healthz", "/livez", "/readyz":
		writeDocument(w, "text/plain; charset=utf-8", []byte("ok"), nil)
	default:
		read := r.Method == http.MethodGet || r.Method == http.MethodHead
		x := &exchange{s: s, w: w, r: r, format: jsonFormat}
		switch {
		case read && (s.serveDiscovery(w, r) || s.serveOpenAPI(w, r) || s.serveOpenAPIv2(w, r)):
		case s.groupServed(r.URL.Path):
			x.send(nil, routeError(http.StatusNotFound, metav1.StatusReasonNotFound, "the server could not find the requested resource"))
		default:
			http.Error(w, "404 page not found", http.StatusNotFound)
		}
	}
}
