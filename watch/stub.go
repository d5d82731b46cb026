package watch

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// The way of an object from the API server into the store:
//
//	LIST  -> keepJobs, keepPods -> listItem{stub{payload}}  \
//	                                                         informer -> eventHandler -> store -> Handler
//	WATCH -> transform          -> stub{object}             /
//
// The informer's own cache, from which it finds out by a list what was deleted, holds
// the stubs, each emptied by the event handler.

// stub carries an object from the informer to the event handler and then keeps only key
// and version. Look-ups use the store: client-go's indexers would double the memory of
// a waiting step.
//
// For the informer its namespace is empty and its name is namespace/name, which makes
// the informer's key of it the same string, and not a new one for each event.
type stub struct {
	metav1.Object // the content: see newStub; consumed once the handler has it
	key, version  string
}

// consumed is the content of an emptied stub. client-go asks a stub only for the
// three values below, in other goroutines than the handler's.
var consumed metav1.Object = &metav1.ObjectMeta{}

// GetNamespace, GetName and GetResourceVersion are what an informer calls, a few times
// for each event, and after the content was consumed too.
func (s *stub) GetNamespace() string       { return "" }
func (s *stub) GetName() string            { return s.key }
func (s *stub) GetResourceVersion() string { return s.version }

// newStub takes the whole object: whether it will be trimmed depends on the event. One
// of a list is trimmed before.
func newStub(o metav1.Object) *stub {
	// The memory of the object is released, that of key and version stays, and what is
	// trimmed of the object shares it.
	s := &stub{o, keyOf(o.GetNamespace(), o.GetName()), strings.Clone(o.GetResourceVersion())}
	o.SetName(s.key[len(s.key)-len(o.GetName()):])
	o.SetResourceVersion(s.version)
	return s
}

// keyOf is the key of an object in the store and in the informer's cache.
func keyOf(namespace, name string) string { return namespace + "/" + name }
