package apiserver

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kontinue/kontinue/internal/fakecluster/journal"
)

// restartGap is how many resource versions a restart skips. A crash of the machine may
// lose writes that clients have seen, and their resource versions must not be used again.
const restartGap = 100_000

// Persist restores the objects that the journal of that path holds, if it exists, and from
// now on stores each write in it before the write takes effect. A write that cannot be
// stored is refused with a 500. Call it before any request.
//
// Objects keep their resource version, UID, generation and managed fields. Watches and
// continue tokens of the time before expire, as after a compaction of etcd. The UIDs and
// generated names are others than those of the time before.
func (s *Server) Persist(path string) error {
	state, err := journal.Load(path)
	if err != nil {
		return err
	}
	resources := map[string]*resource{}
	for _, r := range s.resources {
		resources[r.journalName()] = r
	}
	revisions, err := decodeAll(resources, state.Objects)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, rev := range revisions {
		s.table(resources[state.Objects[i].Resource]).put(rev)
	}
	if state.RV > 0 {
		s.rv = max(s.rv, state.RV) + restartGap
		s.ids = newSequence(s.opts.Seed + s.rv)
	}
	s.restored = s.rv
	for _, t := range s.tables {
		t.history, t.compacted = nil, s.restored
	}
	s.path = path
	return s.renewJournal()
}

// decodeAll decodes the objects of a journal, in their order.
func decodeAll(resources map[string]*resource, entries []journal.Entry) ([]*revision, error) {
	out := make([]*revision, len(entries))
	errs := make([]error, runtime.GOMAXPROCS(0))
	var wg sync.WaitGroup
	for part := range errs {
		wg.Go(func() {
			for i := part; i < len(entries) && errs[part] == nil; i += len(errs) {
				out[i], errs[part] = decodeEntry(resources[entries[i].Resource], &entries[i])
			}
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

func decodeEntry(r *resource, e *journal.Entry) (*revision, error) {
	if r == nil {
		return nil, fmt.Errorf("there are objects of %s, such as %s/%s, and this cluster has no such resource: declare it as before", e.Resource, e.Namespace, e.Name)
	}
	obj := r.newObject()
	var err error
	if u, custom := obj.(*unstructured.Unstructured); custom {
		err = utiljson.Unmarshal(e.Object, &u.Object)
	} else {
		err = utiljson.Unmarshal(e.Object, obj)
		stripType(obj)
	}
	if err == nil && (obj.GetName() != e.Name || obj.GetNamespace() != e.Namespace || obj.GetUID() == "") {
		err = journal.ErrDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s/%s at resource version %d: %w", e.Resource, e.Namespace, e.Name, e.RV, err)
	}
	return &revision{object: obj, rv: e.RV}, nil
}

// journalize stores a write. The caller holds the lock.
func (s *Server) journalize(r *resource, namespace, name string, rev *revision) error {
	if s.journal == nil {
		return nil
	}
	if s.journal.Overgrown() && s.renewJournal() != nil {
		s.journal.Keep()
	}
	entry, err := journalEntry(r, namespace, name, rev)
	if err == nil {
		err = s.journal.Append(entry)
	}
	if err != nil {
		return apierrors.NewInternalError(fmt.Errorf("the write is refused, since it cannot be stored: %w", err))
	}
	return nil
}

func journalEntry(r *resource, namespace, name string, rev *revision) (journal.Entry, error) {
	e := journal.Entry{RV: rev.rv, Resource: r.journalName(), Namespace: namespace, Name: name}
	if rev.object == nil {
		return e, nil
	}
	whole, _, err := jsonFormat.marshal(r.gvk, rev.object)
	if err != nil {
		return e, err
	}
	e.Object = whole[:len(whole)-1] // without the line feed
	return e, nil
}

// journalName is the resource's name in the journal.
func (r *resource) journalName() string {
	return r.gvr.GroupVersion().String() + "/" + r.gvr.Resource
}

// renewJournal replaces the journal by one that begins with the present state.
func (s *Server) renewJournal() error {
	count := 0
	for _, t := range s.tables {
		for _, space := range t.spaces {
			count += len(space)
		}
	}
	next, err := journal.Create(s.path, s.rv, count, func(yield func(journal.Entry, error) bool) {
		for _, t := range s.tables {
			for namespace, space := range t.spaces {
				for name, rev := range space {
					if !yield(journalEntry(t.res, namespace, name, rev)) {
						return
					}
				}
			}
		}
	})
	if err != nil {
		return err
	}
	if s.journal != nil {
		_ = s.journal.Close() // nothing reads it any more
	}
	s.journal = next
	return nil
}

func (s *Server) closeJournal() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.journal != nil {
		_ = s.journal.Close() // every write has been appended
	}
}
