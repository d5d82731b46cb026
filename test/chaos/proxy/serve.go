package proxy

import (
	"fmt"
	"io"
	"maps"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
)

var statusType = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}

var codec = protobuf.NewSerializer(scheme.Scheme, scheme.Scheme)

const (
	protobufType      = "application/vnd.kubernetes.protobuf"
	protobufWatchType = protobufType + ";stream=watch"
)

// ServeHTTP forwards a request, unless a fault rejects it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := parse(r)
	p.mu.Lock()
	p.requests[q.verb+" "+q.resource]++
	p.mu.Unlock()
	kind, hit := p.take(ofRequests, q)
	if hit && kind != LoseResponse {
		p.reject(w, r, kind, q)
		return
	}
	s := &stream{p: p, of: q}
	out, done := s.open(r)
	defer done()
	out.URL.Scheme, out.URL.Host, out.Host, out.RequestURI = p.target.Scheme, p.target.Host, p.target.Host, ""
	out.Header.Del("Accept-Encoding")
	response, err := p.upstream.RoundTrip(out)
	if err != nil {
		// Respond like a load balancer whose upstream is down.
		http.Error(w, "bad gateway: "+err.Error(), http.StatusBadGateway)
		return
	}
	defer response.Body.Close()
	if hit {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
		panic(http.ErrAbortHandler)
	}
	maps.Copy(w.Header(), response.Header)
	framed := q.verb == "watch" && response.Header.Get("Content-Type") == protobufWatchType
	if !framed && p.shift != 0 && response.Header.Get("Content-Type") == protobufType {
		p.shifted(w, response)
		return
	}
	w.WriteHeader(response.StatusCode)
	if framed {
		s.events(w, response.Body)
		return
	}
	_, _ = io.Copy(flusher{w}, response.Body)
}

// flusher flushes every write, since watches and logs are streams.
type flusher struct{ http.ResponseWriter }

func (f flusher) Write(b []byte) (int, error) {
	n, err := f.ResponseWriter.Write(b)
	if err == nil {
		err = http.NewResponseController(f.ResponseWriter).Flush()
	}
	return n, err
}

// reject responds in place of the API server or a load balancer.
func (p *Proxy) reject(w http.ResponseWriter, r *http.Request, kind Kind, q request) {
	resource := schema.GroupResource{Resource: q.resource}
	var err *apierrors.StatusError
	switch kind {
	case Swallow:
		select {
		case <-r.Context().Done():
		case <-p.closing:
		}
		panic(http.ErrAbortHandler)
	case BadGateway, Unavailable:
		code := map[Kind]int{BadGateway: http.StatusBadGateway, Unavailable: http.StatusServiceUnavailable}[kind]
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(code)
		fmt.Fprintf(w, "<html><body><h1>%d %s</h1></body></html>\n", code, http.StatusText(code))
		return
	case TooMany, TooManyLater:
		err = apierrors.NewTooManyRequests("too many requests, please try again later", 1)
		if kind == TooMany {
			err.ErrStatus.Details = nil
		} else {
			w.Header().Set("Retry-After", "1")
		}
	case Internal:
		err = apierrors.NewInternalError(fmt.Errorf("etcdserver: request timed out"))
	case Unauthorized:
		err = apierrors.NewUnauthorized("Unauthorized")
	case Forbidden:
		err = apierrors.NewForbidden(resource, "", fmt.Errorf("no rule allows it"))
	case Gone:
		err = expired()
	default:
		panic("no response for " + kind)
	}
	status := err.Status()
	status.TypeMeta = statusType
	w.Header().Set("Content-Type", protobufType)
	w.WriteHeader(int(status.Code))
	_ = codec.Encode(&status, w)
}

func expired() *apierrors.StatusError {
	return apierrors.NewResourceExpired("too old resource version")
}

// goneFrame returns the ERROR event of an expired resource version.
func goneFrame() ([]byte, error) {
	status := expired().Status()
	status.TypeMeta = statusType
	raw, err := runtime.Encode(codec, &status)
	if err != nil {
		return nil, err
	}
	return (&metav1.WatchEvent{Type: "ERROR", Object: runtime.RawExtension{Raw: raw}}).Marshal()
}
