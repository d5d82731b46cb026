package apiserver

import (
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
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
	// fail with 404. Only "default" and "kube-system" exist then from the start.
	RequireNamespaces bool
	// DisableWatchList makes clients declare that they do not support WatchList, so
	// that informers use LIST then WATCH, as with a server before 1.34.
	DisableWatchList bool
	// Version is what Discovery().ServerVersion() says. Default "v1.37.2".
	Version string
}

// Server is the in-memory API server. It is safe for concurrent use. Its only
// goroutines are one for each open watch.
type Server struct {
	opts Options

	mu      sync.RWMutex // the store: everything down to closed
	rv      uint64       // the last resource version assigned, across all types
	tables  tableMap
	pages   map[int]page
	pageSeq int
	closed  bool

	ids     *sequence
	stats   *statistics
	watches sync.WaitGroup

	watchHook     atomic.Pointer[WatchHook]
	expireAtStart atomic.Bool
	logSource     atomic.Pointer[LogSource]

	policyMu  sync.RWMutex
	admission []*AdmissionFunc
	rules     []*rule
	faults    []*faultState
	audit     []*AuditFunc

	clientsMu sync.Mutex
	clients   map[string]*Clientset
}

// New returns a server with an empty store. Close it to end open watches.
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
	s := &Server{
		opts:    opts,
		rv:      100, // an empty cluster is not at 0, which means "any version" in requests
		tables:  tableMap{},
		pages:   map[int]page{},
		ids:     newSequence(opts.Seed),
		stats:   newStatistics(),
		clients: map[string]*Clientset{},
	}
	if opts.RequireNamespaces {
		s.bootstrapNamespaces("default", "kube-system")
	}
	return s
}

// Clientset returns the client of the default user: the program under test.
func (s *Server) Clientset() kubernetes.Interface { return s.ClientsetAs(s.opts.User) }

// ClientsetAs returns a client that acts as the given user. Controllers use their
// own, for example "system:kube-controller-manager", so that rules and
// faults meant for the program under test do not hit them.
func (s *Server) ClientsetAs(user string) kubernetes.Interface { return s.clientset(user) }

func (s *Server) clientset(user string) *Clientset {
	s.clientsMu.Lock()
	defer s.clientsMu.Unlock()
	c := s.clients[user]
	if c == nil {
		c = newClientset(s, user)
		s.clients[user] = c
	}
	return c
}

// ResourceVersion returns the last resource version that was assigned.
func (s *Server) ResourceVersion() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return formatRV(s.rv)
}

// Close ends every open watch and waits for their goroutines. Later watches fail.
// Reads and writes still work. It is idempotent.
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
	s.watches.Wait()
}

var (
	_ watch.Interface     = (*watcher)(nil)
	_ apierrors.APIStatus = (*apierrors.StatusError)(nil)
)
