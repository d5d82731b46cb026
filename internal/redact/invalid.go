package redact

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// ErrorText returns the text of an error of the API server without the secrets, and
// without any value that a validation error (422) quotes from the pod template: for
// "field is immutable" that is the whole template. Field, type and reason stay.
func (s Secrets) ErrorText(err error) string { return s.Hide(withoutTemplate(err)) }

// withoutTemplate returns the text of an error without the values that a validation
// error (422) quotes from the pod template.
func withoutTemplate(err error) string {
	var api apierrors.APIStatus
	if !errors.As(err, &api) {
		return err.Error()
	}
	status := api.Status()
	details := status.Details
	if status.Reason != metav1.StatusReasonInvalid || details == nil || !slices.ContainsFunc(details.Causes, quotesTemplate) {
		return err.Error()
	}
	var faults []string
	for _, c := range details.Causes {
		text := c.Message
		if quotesTemplate(c) {
			text = withoutValue(text)
		}
		if c.Field != "" {
			text = c.Field + ": " + text
		}
		faults = append(faults, text)
	}
	kind := schema.GroupKind{Group: details.Group, Kind: details.Kind}
	return fmt.Sprintf("%s %q is invalid: %s", kind, details.Name, strings.Join(faults, "; "))
}

// quotesTemplate reports whether the value that the cause quotes is of the pod
// template or contains it.
func quotesTemplate(c metav1.StatusCause) bool {
	rest, ok := strings.CutPrefix(c.Field, "spec.template")
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[') || c.Field == "spec" || c.Field == "<nil>"
}

// quoting are the error types whose text has the value after the type.
var quoting = []field.ErrorType{
	field.ErrorTypeInvalid, field.ErrorTypeNotSupported, field.ErrorTypeNotFound, field.ErrorTypeDuplicate,
	field.ErrorTypeTooMany, field.ErrorTypeTooFew,
}

// withoutValue removes the value from a text in the form of field.Error, which is
// "Invalid value: VALUE: detail".
func withoutValue(text string) string {
	for _, t := range quoting {
		if rest, ok := strings.CutPrefix(text, t.String()+": "); ok {
			if detail := afterValue(rest); detail != "" {
				return t.String() + ": " + detail
			}
			return t.String()
		}
	}
	return text
}

// afterValue returns the detail that follows a value, which is a Go string or JSON.
// It returns nothing when it cannot see where the value ends.
func afterValue(text string) string {
	end := 0
	if quoted, err := strconv.QuotedPrefix(text); err == nil {
		end = len(quoted)
	} else {
		var value json.RawMessage
		decoder := json.NewDecoder(strings.NewReader(text))
		if decoder.Decode(&value) == nil {
			end = int(decoder.InputOffset())
		}
	}
	switch {
	case end > 0:
		detail, _ := strings.CutPrefix(text[end:], ": ")
		return detail
	case strings.ContainsAny(text, "\"'`{["):
		return ""
	default: // there was no value: field.OmitValueType
		return text
	}
}
