package apiserver

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
)

// formats is the number of encodings of a response.
const formats = 3

// format is an encoding of responses. An object is marshaled once, and the bytes are
// copied into each list and event that contains it.
type format struct {
	index     int
	mediaType string
	streaming string // the Content-Type of a watch, "" if there is none
	// marshal encodes an object. The content is the part of it that is an item of a list.
	marshal func(gvk schema.GroupVersionKind, obj runtime.Object) (whole, content []byte, err error)
	// list encodes a list of marshaled items.
	list func(gvk schema.GroupVersionKind, meta *metav1.ListMeta, items [][]byte) ([]byte, error)
	// event returns the frame of a watch event.
	event func(kind watch.EventType, whole []byte) ([]byte, error)
}

// In JSON, the content begins after the kind, and the brace before it must be added.
var jsonFormat = &format{
	index: 0, mediaType: runtime.ContentTypeJSON, streaming: runtime.ContentTypeJSON,
	marshal: func(gvk schema.GroupVersionKind, obj runtime.Object) (whole, content []byte, err error) {
		raw, err := json.Marshal(obj)
		if err != nil {
			return nil, nil, err
		}
		if _, custom := obj.(*unstructured.Unstructured); custom {
			return append(raw, '\n'), raw[1:], nil // it has its kind
		}
		whole = jsonKind(gvk, len(raw))
		if len(raw) > len("{}") {
			whole = append(whole, ',')
		}
		start := len(whole)
		whole = append(append(whole, raw[1:]...), '\n')
		return whole, whole[start : len(whole)-1], nil
	},
	list: func(gvk schema.GroupVersionKind, meta *metav1.ListMeta, items [][]byte) ([]byte, error) {
		head, err := json.Marshal(meta)
		if err != nil {
			return nil, err
		}
		size := len(head)
		for _, item := range items {
			size += len(item) + len("{,")
		}
		out := append(jsonKind(gvk, size), `,"metadata":`...)
		out = append(append(out, head...), `,"items":[`...)
		for i, item := range items {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(append(out, '{'), item...)
		}
		return append(out, "]}\n"...), nil
	},
	event: func(kind watch.EventType, whole []byte) ([]byte, error) {
		out := make([]byte, 0, len(whole)+40)
		out = fmt.Appendf(out, `{"type":%q,"object":`, kind)
		out = append(out, whole[:len(whole)-1]...) // without the line feed
		return append(out, "}\n"...), nil
	},
}

// jsonKind begins an object, with room for size bytes.
func jsonKind(gvk schema.GroupVersionKind, size int) []byte {
	const room = 200 // for the kind and the rest
	if gvk.Version == "" {
		return fmt.Appendf(make([]byte, 0, size+room), `{"kind":%q`, gvk.Kind)
	}
	return fmt.Appendf(make([]byte, 0, size+room), `{"kind":%q,"apiVersion":%q`, gvk.Kind, gvk.GroupVersion().String())
}

var protobufFormat = &format{
	index: 1, mediaType: runtime.ContentTypeProtobuf, streaming: runtime.ContentTypeProtobuf + ";stream=watch",
	marshal: func(gvk schema.GroupVersionKind, obj runtime.Object) (whole, content []byte, err error) {
		m, ok := obj.(runtime.ProtobufMarshaller)
		if !ok {
			return nil, nil, fmt.Errorf("%T has no protobuf encoding", obj)
		}
		size := m.Size()
		head, err := protobufKind(gvk, size)
		if err != nil {
			return nil, nil, err
		}
		start := len(head)
		whole = head[:start+size]
		_, err = m.MarshalTo(whole[start:])
		return whole, whole[start:], err
	},
	list: func(gvk schema.GroupVersionKind, meta *metav1.ListMeta, items [][]byte) ([]byte, error) {
		head, err := meta.Marshal()
		if err != nil {
			return nil, err
		}
		// Every list type has its metadata and items in these fields.
		const metaField, itemsField = 1, 2
		size := fieldSize(len(head))
		for _, item := range items {
			size += fieldSize(len(item))
		}
		out, err := protobufKind(gvk, size)
		if err != nil {
			return nil, err
		}
		out = append(appendField(out, metaField, len(head)), head...)
		for _, item := range items {
			out = append(appendField(out, itemsField, len(item)), item...)
		}
		return out, nil
	},
	event: func(kind watch.EventType, whole []byte) ([]byte, error) {
		ev := metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: whole}}
		const header = 4 // the length of the frame
		out := make([]byte, header+ev.Size())
		n, err := ev.MarshalTo(out[header:])
		binary.BigEndian.PutUint32(out, uint32(n))
		return out[:header+n], err
	},
}

// protobufKind begins the envelope of an object, with room for its size bytes: a prefix
// and a runtime.Unknown, whose last field is the object.
func protobufKind(gvk schema.GroupVersionKind, size int) ([]byte, error) {
	meta := runtime.TypeMeta{Kind: gvk.Kind, APIVersion: gvk.GroupVersion().String()}
	kind, err := meta.Marshal()
	if err != nil {
		return nil, err
	}
	const prefix = "k8s\x00"
	const kindField, rawField = 1, 2
	out := append(make([]byte, 0, len(prefix)+fieldSize(len(kind))+fieldSize(size)), prefix...)
	out = append(appendField(out, kindField, len(kind)), kind...)
	return appendField(out, rawField, size), nil
}

// appendField begins a protobuf field of size bytes.
func appendField(out []byte, field byte, size int) []byte {
	const lengthDelimited = 2
	return binary.AppendUvarint(append(out, field<<3|lengthDelimited), uint64(size))
}

// fieldSize returns the length of a protobuf field of size bytes with its tag.
func fieldSize(size int) int {
	var length [binary.MaxVarintLen64]byte
	return 1 + binary.PutUvarint(length[:], uint64(size)) + size
}

// object encodes an object that is not stored, such as a Status.
func (f *format) object(gvk schema.GroupVersionKind, obj runtime.Object) ([]byte, error) {
	whole, _, err := f.marshal(gvk, obj)
	return whole, err
}

var statusKind = metav1.Unversioned.WithKind("Status")
