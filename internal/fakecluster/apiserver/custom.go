package apiserver

import (
	"encoding/json"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// coerce makes the metadata of a custom resource what a struct would have decoded. It
// returns the error of a field of the wrong type, or a strict decoding error that names
// the fields that it has dropped, along with those in strict.
func coerce(u *unstructured.Unstructured, strict error) error {
	doc, found := u.Object["metadata"]
	if !found {
		return strict
	}
	var typed struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
	}
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(map[string]any{"metadata": doc}, &typed, true)
	if err != nil && !runtime.IsStrictDecodingError(err) {
		// The API server decodes it from JSON, whose errors name the field.
		raw, jsonErr := json.Marshal(doc)
		if jsonErr = errors.Join(jsonErr, utiljson.Unmarshal(raw, &typed.Metadata)); jsonErr != nil {
			return jsonErr
		}
	}
	clean, convertErr := runtime.DefaultUnstructuredConverter.ToUnstructured(&typed.Metadata)
	if convertErr != nil {
		return convertErr
	}
	u.Object["metadata"] = clean
	return joinStrict(strict, err)
}

// joinStrict returns one strict decoding error with the causes of both, or nil.
func joinStrict(all ...error) error {
	var causes []error
	for _, err := range all {
		if strict, ok := runtime.AsStrictDecodingError(err); ok {
			causes = append(causes, strict.Errors()...)
		}
	}
	if len(causes) == 0 {
		return nil
	}
	return runtime.NewStrictDecodingError(causes)
}

// checkCustomType returns the error for an object of another kind than the resource's.
func checkCustomType(got, want schema.GroupVersionKind, name string) error {
	var errs field.ErrorList
	if got.Kind != want.Kind {
		errs = append(errs, field.Invalid(field.NewPath("kind"), got.Kind, "must be "+want.Kind))
	}
	if version := want.GroupVersion().String(); got.GroupVersion().String() != version {
		errs = append(errs, field.Invalid(field.NewPath("apiVersion"), got.GroupVersion().String(), "must be "+version))
	}
	if len(errs) > 0 {
		return apierrors.NewInvalid(got.GroupKind(), name, errs)
	}
	return nil
}

// rewriteCustom is rewrite for a custom resource.
func rewriteCustom(cur *unstructured.Unstructured, v validator, edit func(doc []byte, shape any) ([]byte, error)) (object, []error, error) {
	doc, err := json.Marshal(cur.Object)
	if err != nil {
		return nil, nil, apierrors.NewInternalError(err)
	}
	doc, err = edit(doc, nil)
	if err != nil {
		return nil, nil, err
	}
	next := &unstructured.Unstructured{}
	err = utiljson.Unmarshal(doc, &next.Object)
	if err == nil {
		err = coerce(next, nil)
	}
	warnings, err := v.check(doc, err)
	if err != nil {
		return nil, nil, err
	}
	if err := checkCustomType(next.GroupVersionKind(), cur.GroupVersionKind(), cur.GetName()); err != nil {
		return nil, nil, err
	}
	return next, warnings, nil
}
