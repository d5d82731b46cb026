package apiserver

import (
	"cmp"
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

const onlyAccepted = "only the following media types are accepted: "

// negotiate returns the format and the view of the first media type in the Accept header
// that is supported. With an error, the format is that of the error.
func negotiate(accept string, c call, query url.Values) (*format, view, error) {
	whole := wholeView{c.res.gvk}
	if accept == "" {
		return jsonFormat, whole, nil
	}
	var first *format // the format of an error
	for part := range strings.SplitSeq(accept, ",") {
		mediaType, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		f := formatOf(mediaType)
		if first == nil && params["as"] == "" {
			first = f
		}
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
	switch known := []string{jsonFormat.mediaType, yamlFormat.mediaType, protobufFormat.mediaType}; {
	case first == nil && !strings.Contains(accept, "as=") && !c.res.custom:
		err := notAcceptable("406: Not Acceptable\n\nAvailable representations: " + strings.Join(known, ", "))
		err.ErrStatus.Details = &metav1.StatusDetails{}
		return jsonFormat, whole, err
	case first == nil:
		return jsonFormat, whole, notAcceptable(onlyAccepted + strings.Join(known, ", "))
	case c.verb == "watch":
		return first, whole, notAcceptable(onlyAccepted + jsonFormat.mediaType + ";stream=watch, " + protobufFormat.mediaType + ";stream=watch")
	default:
		return first, whole, notAcceptable(onlyAccepted + strings.Join(known, ", "))
	}
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
		return metadataView{}, notAcceptable(fmt.Sprintf("you requested PartialObjectMetadata, but the requested object is a list (%s)", c.res.goType("List")))
	case kind == partialListKind.Kind && !isList && c.res.custom:
		return metadataView{}, internal("content is not a list")
	case kind == partialListKind.Kind && !isList:
		return metadataView{}, notAcceptable(fmt.Sprintf("you requested PartialObjectMetadataList, but the requested object is not a list (%s)", c.res.goType("")))
	case kind == partialKind.Kind || kind == partialListKind.Kind:
		return metadataView{}, nil
	}
	return nil, nil
}

// goType returns the API server's type of the resource's objects, or of their list.
func (r *resource) goType(suffix string) string {
	if r.custom {
		return "*unstructured.Unstructured" + suffix
	}
	group, _, _ := strings.Cut(r.gvk.Group, ".")
	return "*" + cmp.Or(group, "core") + "." + r.gvk.Kind + suffix
}

func notAcceptable(message string) *apierrors.StatusError {
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
