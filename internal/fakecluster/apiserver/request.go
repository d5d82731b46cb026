package apiserver

import (
	"bytes"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metainternalversionscheme "k8s.io/apimachinery/pkg/apis/meta/internalversion/scheme"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/client-go/kubernetes/scheme"
)

// maxBody is the API server's limit of a request's body.
const maxBody = 3 << 20

// body reads the request's body.
func (x *exchange) body() ([]byte, error) {
	if x.r.Body == nil {
		return nil, nil
	}
	var raw bytes.Buffer
	raw.Grow(int(min(max(x.r.ContentLength, 0), maxBody)) + bytes.MinRead)
	if _, err := raw.ReadFrom(io.LimitReader(x.r.Body, maxBody+1)); err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if raw.Len() > maxBody {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf("limit is %d", maxBody))
	}
	return raw.Bytes(), nil
}

// decode reads the body into an object of kind gvk.
func (x *exchange) decode(gvk schema.GroupVersionKind, into runtime.Object) error {
	info, err := bodySerializer(x.r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	if x.call.res.custom && info.MediaType == runtime.ContentTypeProtobuf {
		return unknownFormat([]string{runtime.ContentTypeJSON, runtime.ContentTypeYAML})
	}
	raw, err := x.body()
	if err != nil {
		return err
	}
	serializer, directive := info.Serializer, x.query.Get("fieldValidation")
	if directive != metav1.FieldValidationIgnore && info.StrictSerializer != nil {
		serializer = info.StrictSerializer
	}
	obj, got, err := serializer.Decode(raw, &gvk, into)
	custom, isCustom := into.(*unstructured.Unstructured)
	if isCustom && (err == nil || runtime.IsStrictDecodingError(err)) {
		err = coerce(custom, err)
	}
	switch {
	case runtime.IsStrictDecodingError(err) && directive == metav1.FieldValidationIgnore:
	case runtime.IsStrictDecodingError(err) && directive == metav1.FieldValidationStrict:
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", got.Kind, got.Version, gvk.Kind, err))
	case runtime.IsStrictDecodingError(err):
		strict, _ := runtime.AsStrictDecodingError(err)
		x.warnOf(strict.Errors())
	case err != nil && got != nil && got.Kind != "":
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: %v", got.Kind, got.Version, gvk.Kind, err))
	case err != nil:
		return apierrors.NewBadRequest(fmt.Sprintf("the object provided is unrecognized (must be of type %s): %v (%s)", gvk.Kind, err, beginning(raw)))
	}
	if isCustom && got.GroupVersion() != gvk.GroupVersion() {
		return apierrors.NewBadRequest(fmt.Sprintf("the API version in the data (%s) does not match the expected API version (%s)",
			got.GroupVersion(), gvk.GroupVersion()))
	}
	if isCustom {
		return checkCustomType(*got, gvk, custom.GetName())
	}
	if obj != into || *got != gvk {
		return apierrors.NewBadRequest(fmt.Sprintf("%s in version %q cannot be handled as a %s: the API version in the data (%s) does not match the expected API version (%s)",
			got.Kind, got.Version, gvk.Kind, got.GroupVersion(), gvk.GroupVersion()))
	}
	return nil
}

// beginning is how an error shows what the body was.
func beginning(raw []byte) string {
	const limit = 30
	switch {
	case len(raw) == 0:
		return "<empty>"
	case len(raw) > limit:
		return string(raw[:limit]) + " ..."
	}
	return string(raw)
}

// options reads the options of the request from its query.
func (x *exchange) options(into runtime.Object) error {
	if len(x.query) == 0 {
		return nil
	}
	if err := scheme.Scheme.Convert(&x.query, into, nil); err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	return nil
}

// invalidOptions returns the error for options of the kind, or nil if there are no errs.
func invalidOptions(kind string, errs field.ErrorList) error {
	if len(errs) == 0 {
		return nil
	}
	return apierrors.NewInvalid(schema.GroupKind{Group: metav1.GroupName, Kind: kind}, "", errs)
}

// deleteOptions reads the options of a deletion: from the body, else from the query.
func (x *exchange) deleteOptions() (opts metav1.DeleteOptions, err error) {
	if err := x.readDeleteOptions(&opts); err != nil {
		return opts, err
	}
	return opts, invalidOptions("DeleteOptions", validation.ValidateDeleteOptions(&opts))
}

func (x *exchange) readDeleteOptions(opts *metav1.DeleteOptions) error {
	if x.r.ContentLength == 0 || x.r.Body == nil || x.r.Body == http.NoBody {
		return x.options(opts)
	}
	info, err := bodySerializer(x.r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	raw, err := x.body()
	if err != nil || len(raw) == 0 {
		return err
	}
	kind := metav1.SchemeGroupVersion.WithKind("DeleteOptions")
	read, _, err := info.Serializer.Decode(raw, &kind, opts)
	if runtime.IsNotRegisteredError(err) {
		// kubectl sends those of meta.k8s.io, and clientsets those of their group.
		if meta, ok := runtime.SerializerInfoForMediaType(metainternalversionscheme.Codecs.SupportedMediaTypes(), info.MediaType); ok {
			read, _, err = meta.Serializer.Decode(raw, &kind, opts)
		}
	}
	if err != nil {
		return apierrors.NewBadRequest(err.Error())
	}
	// Of another group version, such as that of a custom resource, it is another object.
	if other, ok := read.(*metav1.DeleteOptions); ok {
		*opts = *other
	}
	return nil
}
