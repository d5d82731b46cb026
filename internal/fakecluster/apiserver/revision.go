package apiserver

import "sync"

// revision is one state of an object. It never changes, and all clients receive the same
// bytes.
type revision struct {
	object
	rv      uint64
	encoded [formats]encoding
}

// encoding is the object in one format, encoded once.
type encoding struct {
	once sync.Once
	raw  []byte
	err  error
}

// in returns the object in format f, without its kind.
func (r *revision) in(f *format) ([]byte, error) {
	e := &r.encoded[f.index]
	e.once.Do(func() { e.raw, e.err = f.marshal(r.object) })
	return e.raw, e.err
}

// at returns the same state under another resource version.
func (r *revision) at(rv uint64) *revision {
	obj := clone(r.object)
	obj.SetResourceVersion(formatRV(rv))
	return &revision{object: obj, rv: rv}
}
