package apiserver

import (
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// revision is one state of an object. It never changes, and all clients receive the same
// bytes.
type revision struct {
	object
	rv      uint64
	encoded [formats]atomic.Pointer[encoding]
}

// encoding is the object in one format.
type encoding struct {
	whole, content []byte // see format.marshal
	err            error
}

// in returns the object in format f. It is encoded at the first call.
func (r *revision) in(f *format, gvk schema.GroupVersionKind) *encoding {
	if e := r.encoded[f.index].Load(); e != nil {
		return e
	}
	e := &encoding{}
	e.whole, e.content, e.err = f.marshal(gvk, r.object)
	r.encoded[f.index].Store(e)
	return e
}

// at returns the same state under another resource version.
func (r *revision) at(rv uint64) *revision {
	obj := clone(r.object)
	obj.SetResourceVersion(formatRV(rv))
	return &revision{object: obj, rv: rv}
}
