package apiserver

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"mime"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// formats is the number of encodings of a response.
const formats = 2

// format is an encoding of responses. An object is marshaled once, and the bytes are
// copied into each response, list and event that contains it.
type format struct {
	index     int
	mediaType string
	streaming string // the Content-Type of a watch
	// marshal encodes the object without its kind.
	marshal func(obj runtime.Object) ([]byte, error)
	// wrap adds the kind to a marshaled object.
	wrap func(gvk schema.GroupVersionKind, raw []byte) []byte
	// list marshals a list of marshaled items.
	list func(meta *metav1.ListMeta, items [][]byte) ([]byte, error)
	// event returns the frame of a watch event. The object has its kind.
	event func(kind watch.EventType, object []byte) ([]byte, error)
}

var jsonFormat = &format{
	index: 0, mediaType: runtime.ContentTypeJSON, streaming: runtime.ContentTypeJSON,
	marshal: func(obj runtime.Object) ([]byte, error) { return json.Marshal(obj) },
	wrap: func(gvk schema.GroupVersionKind, raw []byte) []byte {
		out := make([]byte, 0, len(raw)+64)
		out = fmt.Appendf(out, `{"kind":%q,"apiVersion":%q`, gvk.Kind, gvk.GroupVersion().String())
		if len(raw) > len("{}") {
			out = append(out, ',')
		}
		return append(append(out, raw[1:]...), '\n')
	},
	list: func(meta *metav1.ListMeta, items [][]byte) ([]byte, error) {
		out, err := json.Marshal(meta)
		if err != nil {
			return nil, err
		}
		out = append([]byte(`{"metadata":`), out...)
		out = append(out, `,"items":[`...)
		for i, item := range items {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, item...)
		}
		return append(out, `]}`...), nil
	},
	event: func(kind watch.EventType, object []byte) ([]byte, error) {
		out := make([]byte, 0, len(object)+40)
		out = fmt.Appendf(out, `{"type":%q,"object":`, kind)
		out = append(out, object[:len(object)-1]...) // without the line feed
		return append(out, "}\n"...), nil
	},
}

// The envelope of an object in protobuf: this prefix and a runtime.Unknown.
const protobufPrefix = "k8s\x00"

// Every list type has its metadata and items in these fields.
const (
	listMetaTag  = 1<<3 | 2
	listItemsTag = 2<<3 | 2
)

var protobufFormat = &format{
	index: 1, mediaType: runtime.ContentTypeProtobuf, streaming: runtime.ContentTypeProtobuf + ";stream=watch",
	marshal: func(obj runtime.Object) ([]byte, error) {
		m, ok := obj.(runtime.ProtobufMarshaller)
		if !ok {
			return nil, fmt.Errorf("%T has no protobuf encoding", obj)
		}
		raw := make([]byte, m.Size())
		n, err := m.MarshalTo(raw)
		return raw[:n], err
	},
	wrap: func(gvk schema.GroupVersionKind, raw []byte) []byte {
		unknown := runtime.Unknown{
			TypeMeta: runtime.TypeMeta{Kind: gvk.Kind, APIVersion: gvk.GroupVersion().String()},
			Raw:      raw,
		}
		out := make([]byte, len(protobufPrefix)+unknown.Size())
		copy(out, protobufPrefix)
		n, err := unknown.MarshalTo(out[len(protobufPrefix):])
		if err != nil {
			panic("apiserver: an envelope does not encode: " + err.Error())
		}
		return out[:len(protobufPrefix)+n]
	},
	list: func(meta *metav1.ListMeta, items [][]byte) ([]byte, error) {
		head, err := meta.Marshal()
		if err != nil {
			return nil, err
		}
		size := len(head) + binary.MaxVarintLen64
		for _, item := range items {
			size += 1 + binary.MaxVarintLen32 + len(item)
		}
		out := append(make([]byte, 0, size), listMetaTag)
		out = append(binary.AppendUvarint(out, uint64(len(head))), head...)
		for _, item := range items {
			out = append(out, listItemsTag)
			out = append(binary.AppendUvarint(out, uint64(len(item))), item...)
		}
		return out, nil
	},
	event: func(kind watch.EventType, object []byte) ([]byte, error) {
		ev := metav1.WatchEvent{Type: string(kind), Object: runtime.RawExtension{Raw: object}}
		const header = 4 // the length of the frame
		out := make([]byte, header+ev.Size())
		n, err := ev.MarshalTo(out[header:])
		binary.BigEndian.PutUint32(out, uint32(n))
		return out[:header+n], err
	},
}

// object encodes an object that is not stored, such as a Status.
func (f *format) object(gvk schema.GroupVersionKind, obj runtime.Object) ([]byte, error) {
	raw, err := f.marshal(obj)
	if err != nil {
		return nil, err
	}
	return f.wrap(gvk, raw), nil
}

var statusKind = metav1.Unversioned.WithKind("Status")

// acceptedFormat returns the first format of the Accept header that is supported. A
// parameter such as as=Table requests another representation; there is none.
func acceptedFormat(accept string) (*format, error) {
	if accept == "" {
		return jsonFormat, nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		if err != nil || params["as"] != "" {
			continue
		}
		switch mediaType {
		case protobufFormat.mediaType:
			return protobufFormat, nil
		case jsonFormat.mediaType, "application/*", "*/*":
			return jsonFormat, nil
		}
	}
	return jsonFormat, &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: 406, Reason: metav1.StatusReasonNotAcceptable,
		Message: "only the following media types are accepted: " + strings.Join([]string{jsonFormat.mediaType, protobufFormat.mediaType}, ", "),
	}}
}

// bodySerializer returns the serializer of a request's body.
func bodySerializer(contentType string) (runtime.SerializerInfo, error) {
	if contentType == "" {
		contentType = runtime.ContentTypeJSON
	}
	mediaType, _, err := mime.ParseMediaType(contentType)
	known := scheme.Codecs.SupportedMediaTypes()
	if i := slices.IndexFunc(known, func(i runtime.SerializerInfo) bool { return i.MediaType == mediaType }); err == nil && i >= 0 {
		return known[i], nil
	}
	names := make([]string, len(known))
	for i, info := range known {
		names[i] = info.MediaType
	}
	return runtime.SerializerInfo{}, unsupported("the body of the request was in an unknown format - accepted media types include: " + strings.Join(names, ", "))
}
