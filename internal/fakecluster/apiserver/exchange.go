package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// exchange is one HTTP request and its answer.
type exchange struct {
	s      *Server
	w      http.ResponseWriter
	r      *http.Request
	query  url.Values
	call   call
	format *format // of the answer
}

// answer is what a request is answered with when it has succeeded.
type answer struct {
	code int
	// encode returns the body, unless stream writes it.
	encode func(f *format) ([]byte, error)
	stream func(x *exchange) error
	// discard releases the stream where the client does not get it.
	discard func()
}

// ServeHTTP implements http.Handler. The user is the request's bearer token.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{s: s, w: w, r: r, format: jsonFormat}
	if r.URL.RawQuery != "" {
		x.query = r.URL.Query()
	}
	c, ok := s.resolve(r, x.query)
	switch {
	case !ok:
		s.serveNonResource(w, r)
		return
	case c.verb == "":
		http.Error(w, "405: Method Not Allowed", http.StatusMethodNotAllowed)
		return
	}
	c.user = userOf(r)
	x.call = c
	req := c.request()
	req.UserAgent = r.UserAgent()
	if req.Name == "" && x.query != nil && c.verb != "create" {
		req.Name = selectedName(x.query)
	}
	s.stats.request(req)
	fault := s.takeFault(req)
	a, err := x.perform(r.Context(), req, fault)
	s.notifyAudit(req, err)
	if fault.Body != nil {
		x.w = disturb(r.Context(), w, fault.Body)
	}
	x.send(a, err)
}

// userOf returns the name of the user, who needs no other proof than to say it.
func userOf(r *http.Request) string {
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return token
	}
	return "system:anonymous"
}

// perform carries the request out, with a fault that may be empty.
func (x *exchange) perform(ctx context.Context, req Request, fault *Fault) (*answer, error) {
	if !pause(ctx, fault.Delay) {
		return nil, context.Cause(ctx)
	}
	if fault.Before != nil {
		return nil, fault.Before
	}
	if err := x.s.authorize(req); err != nil {
		return nil, err
	}
	var err error
	if x.format, err = acceptedFormat(x.r.Header.Get("Accept")); err != nil {
		return nil, err
	}
	a, err := x.call.res.operations(x.call.sub)[x.call.verb](ctx, x)
	if err != nil {
		return nil, err
	}
	if err = fault.After; !pause(ctx, fault.AnswerDelay) {
		err = context.Cause(ctx)
	}
	if err != nil && a.discard != nil {
		a.discard()
	}
	return a, err
}

// send writes the answer, the Status of an API error, or breaks the connection with
// any other error.
func (x *exchange) send(a *answer, err error) {
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
	_, _ = x.w.Write(body) // a client that has gone needs no answer
}

// failure completes a Status and the header of its answer. It returns the code.
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

// warn adds a warning to the answer (KEP-1693).
func (x *exchange) warn(text string) {
	const miscellaneous = 299
	if header, err := utilnet.NewWarningHeader(miscellaneous, "-", text); err == nil {
		x.w.Header().Add("Warning", header)
	}
}

// abort ends the exchange without an answer, or in the middle of one. The client in
// memory gets err; on a real connection it is reset.
func abort(w http.ResponseWriter, err error) {
	if w, ok := w.(interface{ abort(err error) }); ok {
		w.abort(err)
	}
	panic(http.ErrAbortHandler)
}

// serveNonResource answers what is not a resource.
func (s *Server) serveNonResource(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/version":
		major, rest, _ := strings.Cut(strings.TrimPrefix(s.opts.Version, "v"), ".")
		minor, _, _ := strings.Cut(rest, ".")
		w.Header().Set("Content-Type", jsonFormat.mediaType)
		_, _ = fmt.Fprintf(w, `{"major":%q,"minor":%q,"gitVersion":%q}`, major, minor, s.opts.Version)
	case "/healthz", "/livez", "/readyz":
		_, _ = w.Write([]byte("ok"))
	default:
		http.Error(w, "404 page not found", http.StatusNotFound)
	}
}
