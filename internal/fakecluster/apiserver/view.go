package apiserver

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// view is the representation of stored objects in a response.
type view interface {
	// one encodes an object or the object of a watch event.
	one(f *format, rev *revision) ([]byte, error)
	// many encodes a list.
	many(f *format, found result) ([]byte, error)
}

// wholeView shows the objects as they are.
type wholeView struct{ gvk schema.GroupVersionKind }

func (v wholeView) one(f *format, rev *revision) ([]byte, error) {
	e := rev.in(f, v.gvk)
	return e.whole, e.err
}

func (v wholeView) many(f *format, found result) ([]byte, error) {
	items := make([][]byte, len(found.items))
	for i, rev := range found.items {
		e := rev.in(f, v.gvk)
		if e.err != nil {
			return nil, e.err
		}
		items[i] = e.content
	}
	list := v.gvk
	list.Kind += "List"
	return f.list(list, &found.meta, items)
}

// Kinds of the other views.
var (
	partialKind     = metav1.SchemeGroupVersion.WithKind("PartialObjectMetadata")
	partialListKind = metav1.SchemeGroupVersion.WithKind("PartialObjectMetadataList")
)

// metadataView shows the metadata only.
type metadataView struct{}

func (metadataView) one(f *format, rev *revision) ([]byte, error) {
	partial := meta.AsPartialObjectMetadata(rev.object)
	return f.object(partialKind, partial)
}

func (metadataView) many(f *format, found result) ([]byte, error) {
	list := &metav1.PartialObjectMetadataList{ListMeta: found.meta, Items: make([]metav1.PartialObjectMetadata, len(found.items))}
	for i, rev := range found.items {
		list.Items[i] = *meta.AsPartialObjectMetadata(rev.object)
		list.Items[i].SetGroupVersionKind(partialKind)
	}
	return f.object(partialListKind, list)
}
