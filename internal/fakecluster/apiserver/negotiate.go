package apiserver

import (
	"fmt"
	"mime"
	"net/url"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

// negotiate returns the format and the view of the first media type in the Accept header
// that is supported. With an error, the format is that of the error.
func negotiate(accept string, c call, query url.Values) (*format, view, error) {
	whole := wholeView{c.res.gvk}
	if accept == "" {
		return jsonFormat, whole, nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		f := formatOf(mediaType)
		switch {
		case f == nil, f == yamlFormat && c.verb == "watch":
		case params["as"] == "":
			if f != protobufFormat || !c.res.custom {
				return f, whole, nil
			}
		case params["g"] != metav1.GroupName || params["v"] != "v1":
		case params["as"] == tableKind.Kind && f != protobufFormat:
			v, err := newTableView(c, query)
			return f, v, err
		default:
			if v, err := viewAs(params["as"], c); v != nil {
				return f, v, err
			}
		}
	}
	return jsonFormat, whole, notAcceptable("only the following media types are accepted: " +
		strings.Join([]string{jsonFormat.mediaType, yamlFormat.mediaType, protobufFormat.mediaType}, ", "))
}

// formatOf returns the format of a media type, or nil.
func formatOf(mediaType string) *format {
	switch mediaType {
	case protobufFormat.mediaType:
		return protobufFormat
	case yamlFormat.mediaType:
		return yamlFormat
	case jsonFormat.mediaType, "application/*", "*/*":
		return jsonFormat
	}
	return nil
}

// viewAs returns the view of another kind, or nil if there is none.
func viewAs(kind string, c call) (view, error) {
	switch isList := c.verb == "list" || c.verb == "deletecollection"; {
	case kind == partialKind.Kind && isList:
		return metadataView{}, notAcceptable(fmt.Sprintf("you requested PartialObjectMetadata, but the requested object is a list (%sList)", c.res.gvk.Kind))
	case kind == partialListKind.Kind && !isList:
		return metadataView{}, notAcceptable(fmt.Sprintf("you requested PartialObjectMetadataList, but the requested object is not a list (%s)", c.res.gvk.Kind))
	case kind == partialKind.Kind || kind == partialListKind.Kind:
		return metadataView{}, nil
	}
	return nil, nil
}

func notAcceptable(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: 406, Reason: metav1.StatusReasonNotAcceptable, Message: message,
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
	return runtime.SerializerInfo{}, unknownFormat(names)
}
