package apiserver

import (
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"
)

// strictly decodes a patch and returns the errors of fields that are twice in it, unless
// they are ignored.
func strictly(data []byte, into any, validation string) (strict []error, err error) {
	if validation == metav1.FieldValidationIgnore {
		err = utiljson.Unmarshal(data, into)
	} else {
		strict, err = kjson.UnmarshalStrict(data, into)
	}
	if err != nil {
		return nil, apierrors.NewBadRequest("error decoding patch: " + err.Error())
	}
	return strict, nil
}

// validator checks a patched object for unknown fields (KEP-2885).
type validator struct {
	validation string
	strict     []error // those of the patch itself
	// shown returns what the error has as the invalid value.
	shown func(patched []byte) string
	// converted means that errors are those of a conversion, not of a decoder.
	converted bool
}

// decode decodes a patched document and returns the warnings.
func (v validator) decode(doc []byte, into any) (warnings []error, err error) {
	if v.validation == metav1.FieldValidationIgnore {
		return v.check(doc, v.conversionError(doc, into, utiljson.Unmarshal(doc, into)))
	}
	strict, err := kjson.UnmarshalStrict(doc, into)
	if err == nil && len(strict) > 0 {
		err = runtime.NewStrictDecodingError(strict)
	}
	return v.check(doc, v.conversionError(doc, into, err))
}

// conversionError returns err as the API server has it, which converts a strategically
// merged document.
func (v validator) conversionError(doc []byte, into any, err error) error {
	if err == nil || !v.converted || runtime.IsStrictDecodingError(err) {
		return err
	}
	var fields map[string]any
	if utiljson.Unmarshal(doc, &fields) == nil {
		if converted := runtime.DefaultUnstructuredConverter.FromUnstructured(fields, into); converted != nil {
			return converted
		}
	}
	return err
}

// check returns the warnings, or the error, for a document that was decoded with err.
func (v validator) check(doc []byte, err error) (warnings []error, _ error) {
	if err != nil && !runtime.IsStrictDecodingError(err) {
		return nil, invalidPatch(v.shown(doc), err)
	}
	if v.validation == metav1.FieldValidationIgnore {
		return nil, nil
	}
	warnings = v.strict
	if strict, ok := runtime.AsStrictDecodingError(err); ok {
		warnings = append(warnings[:len(warnings):len(warnings)], strict.Errors()...)
	}
	if len(warnings) > 0 && v.validation == metav1.FieldValidationStrict {
		return nil, invalidPatch(v.shown(doc), runtime.NewStrictDecodingError(warnings))
	}
	return warnings, nil
}

// invalidPatch is the error for a patched document that is no object any more.
func invalidPatch(shown string, err error) error {
	return apierrors.NewInvalid(schema.GroupKind{}, "", field.ErrorList{field.Invalid(field.NewPath("patch"), shown, err.Error())})
}
