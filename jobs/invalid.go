package jobs

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

// causeText is the error's text, less the values that a validation error (422)
// quotes from the pod template: for "field is immutable" that is all of it. Which
// field, what is wrong and why stay.
func causeText(err error) string {
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

// quotesTemplate tells that the value which the cause is about is of the pod
// template, or holds it.
func quotesTemplate(c metav1.StatusCause) bool {
	rest, ok := strings.CutPrefix(c.Field, "spec.template")
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[') || c.Field == "spec" || c.Field == "<nil>"
}

// quoting are the types of errors whose text has the value after the type.
var quoting = []field.ErrorType{
	field.ErrorTypeInvalid, field.ErrorTypeNotSupported, field.ErrorTypeNotFound, field.ErrorTypeDuplicate,
	field.ErrorTypeTooMany, field.ErrorTypeTooFew,
}

// withoutValue takes the value out of a text in the form of field.Error, which is
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

// afterValue is the detail that follows a value, which is a Go string or JSON.
// What cannot be told apart is left out whole.
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
