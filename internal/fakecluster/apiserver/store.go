package apiserver

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// change is one committed write. obj is the state after it, for a deletion the last
// state.
type change struct {
	rv   uint64
	kind watch.EventType
	obj  *revision
	prev *revision // state before, nil for a creation

	once sync.Once
	last *revision // of left
}

// left returns prev with the resource version of the change. It is the object of the
// DELETED event, be the object deleted or no longer selected.
func (c *change) left() *revision {
	c.once.Do(func() { c.last = c.prev.at(c.rv) })
	return c.last
}

// table holds the objects of one resource, the recent changes and the open watches.
// It is guarded by Server.mu.
type table struct {
	res    *resource
	spaces map[string]map[string]*revision // namespace ("" if cluster-scoped) -> name -> object
	// history is in resource version order. Changes at or below compacted are
	// gone, so a watch that wants to start below it is answered with 410 Gone.
	history   []*change
	compacted uint64
	watchers  []*watcher
}

// table returns the table of r, made on first use. The caller holds s.mu.
func (s *Server) table(r *resource) *table {
	t := s.tables[r.gvr]
	if t == nil {
		t = &table{res: r, spaces: map[string]map[string]*revision{}, compacted: s.restored}
		s.tables[r.gvr] = t
	}
	return t
}

// find returns the stored revision, or nil.
func (s *Server) find(r *resource, namespace, name string) *revision {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[r.gvr]
	if t == nil {
		return nil
	}
	return t.spaces[namespace][name]
}

// load returns the stored object, which must not be changed, or nil.
func (s *Server) load(r *resource, namespace, name string) object {
	if rev := s.find(r, namespace, name); rev != nil {
		return rev.object
	}
	return nil
}

// insert stores a new object. It returns nil where the name is taken. check, if not
// nil, runs under the lock and can veto: it is where quota is counted.
func (s *Server) insert(c call, obj object, check func() error) (*revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(c.res)
	namespace, name := obj.GetNamespace(), obj.GetName()
	if check != nil {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if t.spaces[namespace][name] != nil {
		return nil, nil
	}
	rev, err := s.commit(c, namespace, name, obj)
	if err != nil {
		return nil, err
	}
	rv := rev.rv
	t.put(rev)
	s.record(t, &change{rv: rv, kind: watch.Added, obj: rev})
	s.notifyObservers(c, Write{RV: rv, Type: watch.Added, New: obj})
	return rev, nil
}

// swap replaces old by obj if old is still the stored state: compare and swap. It
// returns nil if it is not.
func (s *Server) swap(c call, old *revision, obj object) (*revision, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(c.res)
	namespace, name := old.GetNamespace(), old.GetName()
	if t.spaces[namespace][name] != old {
		return nil, nil
	}
	rev, err := s.commit(c, namespace, name, obj)
	if err != nil {
		return nil, err
	}
	rv := rev.rv
	t.spaces[namespace][name] = rev
	s.record(t, &change{rv: rv, kind: watch.Modified, obj: rev, prev: old})
	s.notifyObservers(c, Write{RV: rv, Type: watch.Modified, Old: old.object, New: obj})
	return rev, nil
}

// remove deletes old if it is still the stored state, and reports whether it was.
func (s *Server) remove(c call, old *revision) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table(c.res)
	space := t.spaces[old.GetNamespace()]
	if space[old.GetName()] != old {
		return false, nil
	}
	gone, err := s.commit(c, old.GetNamespace(), old.GetName(), nil)
	if err != nil {
		return false, err
	}
	rv := gone.rv
	delete(space, old.GetName())
	if len(space) == 0 {
		delete(t.spaces, old.GetNamespace())
	}
	s.record(t, &change{rv: rv, kind: watch.Deleted, obj: old, prev: old})
	s.notifyObservers(c, Write{RV: rv, Type: watch.Deleted, Old: old.object})
	return true, nil
}

// put adds a revision under its name.
func (t *table) put(rev *revision) {
	namespace := rev.GetNamespace()
	space := t.spaces[namespace]
	if space == nil {
		space = map[string]*revision{}
		t.spaces[namespace] = space
	}
	space[rev.GetName()] = rev
}

// commit gives a write its resource version and stores it in the journal, if there is
// one. obj is nil for a deletion. The caller holds the lock, and makes the write visible.
func (s *Server) commit(c call, namespace, name string, obj object) (*revision, error) {
	rev := &revision{object: obj, rv: s.rv + 1}
	if obj != nil {
		obj.SetResourceVersion(formatRV(rev.rv))
	}
	if err := s.journalize(c.res, namespace, name, rev); err != nil {
		return nil, err
	}
	s.rv = rev.rv
	return rev, nil
}

// record appends the change to the history and offers it to the watches. It does
// not block: a watch queues what its client has not read yet.
func (s *Server) record(t *table, c *change) {
	t.history = append(t.history, c)
	if limit := s.opts.HistorySize; len(t.history) >= 2*limit {
		t.compact(len(t.history) - limit)
	}
	for _, w := range t.watchers {
		w.offer(c)
	}
}

// compact forgets the oldest n changes.
func (t *table) compact(n int) {
	if n <= 0 {
		return
	}
	t.compacted = t.history[n-1].rv
	t.history = slices.Clone(t.history[n:])
}

// since returns the changes after rv. The caller has checked rv against compacted.
func (t *table) since(rv uint64) []*change {
	i := sort.Search(len(t.history), func(i int) bool { return t.history[i].rv > rv })
	return t.history[i:]
}

// snapshot returns the objects that match, in etcd's order (namespace, name), and
// the resource version at which this was the state.
func (s *Server) snapshot(r *resource, namespace string, match func(object) bool) ([]*revision, uint64) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	t := s.tables[r.gvr]
	if t == nil {
		return nil, s.rv
	}
	return t.collect(namespace, match), s.rv
}

// collect is snapshot for a caller that holds the lock.
func (t *table) collect(namespace string, match func(object) bool) []*revision {
	var found []*revision
	add := func(space map[string]*revision) {
		for _, o := range space {
			if match == nil || match(o.object) {
				found = append(found, o)
			}
		}
	}
	if namespace != "" {
		add(t.spaces[namespace])
	} else {
		for _, space := range t.spaces {
			add(space)
		}
	}
	slices.SortFunc(found, func(a, b *revision) int {
		return cmp.Or(
			strings.Compare(a.GetNamespace(), b.GetNamespace()),
			strings.Compare(a.GetName(), b.GetName()))
	})
	return found
}

func formatRV(rv uint64) string { return strconv.FormatUint(rv, 10) }

// tableMap is the set of tables, by resource.
type tableMap map[schema.GroupVersionResource]*table
