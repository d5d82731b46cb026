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
// The informer's own cache, with which it detects deletions after a list, holds the
// stubs, which the event handler has emptied.

// stub carries an object from the informer to the event handler and then keeps only key
// and version. Look-ups use the store: client-go's indexers would double the memory of
// a waiting step.
//
// Its namespace is empty and its name is namespace/name, so that the informer's key is
// the same string and not a new one for each event.
type stub struct {
	metav1.Object // the content: see newStub; consumed once the handler has it
	key, version  string
}

// consumed is the content of an emptied stub. client-go asks a stub only for the
// three values below, in other goroutines than the handler's.
var consumed metav1.Object = &metav1.ObjectMeta{}

// An informer calls GetNamespace, GetName and GetResourceVersion a few times for each
// event, also after the content was consumed.
func (s *stub) GetNamespace() string       { return "" }
func (s *stub) GetName() string            { return s.key }
func (s *stub) GetResourceVersion() string { return s.version }

// newStub takes the whole object, since it depends on the event whether it is trimmed.
// An object of a list has been trimmed before.
func newStub(o metav1.Object) *stub {
	// The memory of the object is released. That of key and version stays, and is shared
	// with the trimmed object.
	s := &stub{o, keyOf(o.GetNamespace(), o.GetName()), strings.Clone(o.GetResourceVersion())}
	o.SetName(s.key[len(s.key)-len(o.GetName()):])
	o.SetResourceVersion(s.version)
	return s
}

// keyOf is the key of an object in the store and in the informer's cache.
func keyOf(namespace, name string) string { return namespace + "/" + name }
