package apiserver

import (
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/fakecluster/journal"
)

// DefaultUser is the identity of Server.Clientset, in Kubernetes' form of a
// service account's user name.
const DefaultUser = "system:serviceaccount:default:kontinue"

// Options configures a Server. The zero value is a permissive single-tenant
// cluster: any namespace can be used without being created.
type Options struct {
	// Seed starts the sequences of UIDs and of generated name suffixes. Servers with
	// the same seed respond in the same way to the same sequence of requests.
	Seed uint64
	// User is the identity of Clientset. Default DefaultUser.
	User string
	// HistorySize is how many changes of a resource are kept at least for watches
	// that resume; older resource versions are answered with 410. Default 10000.
	HistorySize int
	// BookmarkPeriod is how often a watch that allows bookmarks gets one. Default
	// one minute, as the API server's watch cache.
	BookmarkPeriod time.Duration
	// RequireNamespaces makes a create in a namespace without a Namespace object
	// fail with 404. Those of a real cluster exist then from the start: default,
	// kube-system, kube-public and kube-node-lease.
	RequireNamespaces bool
	// DisableWatchList rejects WatchList requests, so that informers use LIST then WATCH, as
	// with a server before 1.34.
	DisableWatchList bool
	// Kinds are custom resources.
	Kinds []Kind
	// Version is what /version says. Default "v1.37.2".
	Version string
}

// Server is the in-memory API server, an http.Handler. It is safe for concurrent use.
// Its only goroutines are one for each open request.
type Server struct {
	opts      Options
	resources resourceMap

	mu       sync.RWMutex // the store: everything down to closed
	rv       uint64       // the last resource version assigned, across all types
	restored uint64       // the resource version at which Persist has begun
	tables   tableMap
	journal  *journal.File // nil without Persist
	path     string        // of the journal
	pages    map[int]page
	pageSeq  int
	closed   bool

	ids         *sequence
	stats       *statistics
	connections connections

	watchHook     atomic.Pointer[WatchHook]
	expireAtStart atomic.Bool
	logSource     atomic.Pointer[LogSource]

	policyMu  sync.RWMutex
	admission []*AdmissionFunc
	rules     []*rule
	faults    []*faultState
	audit     []*AuditFunc
	observers []*func(Write)

	clientsMu sync.Mutex
	clients   map[string]kubernetes.Interface
}

// New returns a server with an empty store. Close it to end open watches. It panics if
// one of the custom resources is invalid.
func New(opts Options) *Server {
	if opts.User == "" {
		opts.User = DefaultUser
	}
	if opts.HistorySize <= 0 {
		opts.HistorySize = 10000
	}
	if opts.BookmarkPeriod <= 0 {
		opts.BookmarkPeriod = time.Minute
	}
	if opts.Version == "" {
		opts.Version = "v1.37.2"
	}
	resources, err := newResourceMap(opts.Kinds)
	if err != nil {
		panic("apiserver: " + err.Error())
	}
	s := &Server{
		opts:      opts,
		resources: resources,
		rv:        100, // an empty cluster is not at 0, which means "any version" in requests
		tables:    tableMap{},
		pages:     map[int]page{},
		ids:       newSequence(opts.Seed),
		stats:     newStatistics(),
		clients:   map[string]kubernetes.Interface{},
	}
	if opts.RequireNamespaces {
		s.bootstrapNamespaces("default", "kube-system", "kube-public", "kube-node-lease")
	}
	return s
}

// ResourceVersion returns the last resource version that was assigned.
func (s *Server) ResourceVersion() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return formatRV(s.rv)
}

// Close ends every open request and waits for their goroutines. Later watches fail;
// later reads still work, and later writes unless there is a journal, which Close closes.
// It is idempotent.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	var open []*watcher
	for _, t := range s.tables {
		open = append(open, t.watchers...)
	}
	s.mu.Unlock()
	for _, w := range open {
		w.end()
	}
	s.connections.close()
	s.closeJournal()
}
