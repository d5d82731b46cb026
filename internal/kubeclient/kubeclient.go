package kubeclient

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue/internal/listwatch"
)

// Options of [New].
type Options struct {
	// Logger receives the warnings of the API server. Default: discarded.
	Logger *slog.Logger
	// Component is appended to client-go's user agent, such as "kontinue/default".
	// Default: nothing.
	Component string
	// Clock, if set, is called with the time of each response by the API server's clock,
	// which has whole seconds.
	Clock func(time.Time)
	// Observe, if set, is called with each request and its context when its response has
	// begun. It must return quickly.
	Observe func(context.Context, Request)
}

// New returns a clientset. It works on a copy of config.
//
// The client-side rate limit is off unless QPS or RateLimiter is set: client-go's own
// default of 5 requests a second would slow down users who run more than a handful of
// steps, and API servers protect themselves (API Priority and Fairness). A Timeout is
// ignored, since it would cut the watches too. Objects travel as protobuf unless
// ContentType or AcceptContentTypes is set, and always uncompressed.
func New(config *rest.Config, o Options) (kubernetes.Interface, error) {
	rc := rest.CopyConfig(config)
	rc.Timeout = 0
	if rc.QPS == 0 && rc.RateLimiter == nil {
		rc.QPS = -1
	} else if rc.QPS > 0 && rc.Burst == 0 {
		rc.Burst = int(rc.QPS) + 1
	}
	if rc.UserAgent == "" {
		rc.UserAgent = rest.DefaultKubernetesUserAgent()
		if o.Component != "" {
			rc.UserAgent += " " + o.Component
		}
	}
	if rc.ContentType == "" && rc.AcceptContentTypes == "" {
		// Lists and events of thousands of pods take a fraction of the time that JSON
		// takes to decode. An API server or proxy without protobuf answers in JSON.
		rc.ContentType, rc.AcceptContentTypes = runtime.ContentTypeProtobuf, runtime.ContentTypeProtobuf+","+runtime.ContentTypeJSON
	}
	// An API server compresses long responses. Between a worker and the API server of its
	// cluster that takes more time than it saves; Kubernetes' own controllers disable it,
	// too.
	rc.DisableCompression = true
	if rc.WarningHandler == nil && rc.WarningHandlerWithContext == nil {
		rc.WarningHandlerWithContext = warnings{QuietLogger(o.Logger)}
	}
	rc.Wrap(listwatch.CloseIdle(listwatch.DefaultIdleTimeout))
	if o.Clock != nil {
		rc.Wrap(func(next http.RoundTripper) http.RoundTripper { return dated{next, o.Clock} })
	}
	if o.Observe != nil {
		rc.Wrap(func(next http.RoundTripper) http.RoundTripper { return observed{next, o.Observe} })
	}
	clientset, err := kubernetes.NewForConfig(rc)
	if err != nil {
		return nil, err
	}
	return clientset, nil
}

// dated reads the header Date of each response.
type dated struct {
	http.RoundTripper
	clock func(time.Time)
}

func (d dated) RoundTrip(req *http.Request) (*http.Response, error) {
	response, err := d.RoundTripper.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if t, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		d.clock(t)
	}
	return response, nil
}

// WrappedRoundTripper lets client-go find the transport below.
func (d dated) WrappedRoundTripper() http.RoundTripper { return d.RoundTripper }

// warnings logs the API server's warnings (KEP-1693); client-go's own handler would
// write them to standard error.
type warnings struct{ log *slog.Logger }

func (w warnings) HandleWarningHeaderWithContext(ctx context.Context, code int, _ string, text string) {
	if code == 299 && text != "" {
		w.log.WarnContext(ctx, "warning of the API server", "text", text)
	}
}
