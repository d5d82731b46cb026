package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// maxJSONPatchOperations is the API server's limit.
const maxJSONPatchOperations = 10000

// patch changes an object by JSON patch, JSON merge patch or strategic merge patch. It
// returns warnings about fields that are unknown or twice in the patch.
func (s *Server) patch(ctx context.Context, c call, pt types.PatchType, data []byte, opts metav1.PatchOptions) (rev *revision, warnings []error, err error) {
	apply, err := patcher(pt, data, opts.FieldValidation)
	if err != nil {
		return nil, nil, err
	}
	rev, err = s.modify(ctx, c, len(opts.DryRun) > 0, func(cur object) (object, error) {
		var obj object
		var err error
		if obj, warnings, err = apply(cur); err != nil {
			return nil, err
		}
		if obj.GetName() != cur.GetName() {
			return nil, otherName(obj.GetName(), cur.GetName())
		}
		return c.track(obj, cur)
	})
	return rev, warnings, err
}

// otherName is the error for an object whose name is not that of the path.
func otherName(name, inURL string) error {
	return apierrors.NewBadRequest(fmt.Sprintf("the name of the object (%s) does not match the name on the URL (%s)", name, inURL))
}

// patchTypes are those of Kubernetes' own resources. For a custom resource there is no
// strategic merge patch, which needs a type.
func patchTypes(r *resource) []string {
	all := []string{string(types.JSONPatchType), string(types.MergePatchType), string(types.StrategicMergePatchType), string(types.ApplyYAMLPatchType)}
	if r.custom {
		return slices.DeleteFunc(all, func(t string) bool { return t == string(types.StrategicMergePatchType) })
	}
	return all
}

// patchFunc returns the patched object, and errors of strict decoding that are warnings.
type patchFunc func(cur object) (obj object, strict []error, err error)

// patcher parses a patch.
func patcher(pt types.PatchType, data []byte, validation string) (patchFunc, error) {
	if pt == types.JSONPatchType {
		return jsonPatcher(data, validation)
	}
	if !json.Valid(data) {
		return nil, apierrors.NewBadRequest("invalid JSON patch")
	}
	doc := map[string]any{}
	strict, err := strictly(data, &doc, validation)
	if err != nil {
		return nil, err
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("error decoding patch: %v", err))
	}
	shown := func([]byte) string { return fmt.Sprintf("%+v", doc) }
	if pt == types.MergePatchType {
		shown = func(patched []byte) string { return string(patched) }
	}
	if validation == metav1.FieldValidationStrict {
		top = nil // its error shows the whole object
	}
	v := validator{validation: validation, strict: strict, shown: shown, converted: pt == types.StrategicMergePatchType}
	merge := func(doc []byte, shape any) ([]byte, error) {
		var out []byte
		var err error
		if pt == types.MergePatchType {
			out, err = jsonpatch.MergePatch(doc, data)
		} else {
			out, err = strategicpatch.StrategicMergePatch(doc, data, shape)
		}
		if err != nil {
			return nil, apierrors.NewBadRequest(err.Error())
		}
		return out, nil
	}
	return func(cur object) (object, []error, error) {
		obj, warnings, err := rewrite(cur, top, v, merge)
		if apierrors.IsInvalid(err) && top != nil {
			return rewrite(cur, nil, v, merge) // its error shows the whole object
		}
		return obj, warnings, err
	}, nil
}

func jsonPatcher(data []byte, validation string) (patchFunc, error) {
	ops, err := jsonpatch.DecodePatch(data)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	if len(ops) > maxJSONPatchOperations {
		return nil, apierrors.NewRequestEntityTooLargeError(fmt.Sprintf(
			"The allowed maximum operations in a JSON patch is %d, got %d", maxJSONPatchOperations, len(ops)))
	}
	var known []struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		From  string `json:"from"`
		Value any    `json:"value"`
	}
	strict, err := strictly(data, &known, validation)
	if err != nil {
		return nil, err
	}
	for i, e := range strict {
		strict[i] = fmt.Errorf("json patch %w", e)
	}
	v := validator{validation: validation, strict: strict, shown: func(patched []byte) string { return string(patched) }}
	return func(cur object) (object, []error, error) {
		return rewrite(cur, nil, v, func(doc []byte, _ any) ([]byte, error) {
			out, err := ops.Apply(doc)
			if err != nil {
				return nil, apierrors.NewGenericServerResponse(http.StatusUnprocessableEntity, "", schema.GroupResource{}, "", err.Error(), 0, false)
			}
			return out, nil
		})
	}, nil
}

// rewrite encodes cur as JSON, calls edit, and decodes the result into a new object. If
// touched is given, it only does so for those top-level fields: a merge patch does not
// change the others, and most patches are of metadata or status only.
func rewrite(cur object, touched map[string]json.RawMessage, v validator, edit func(doc []byte, shape any) ([]byte, error)) (object, []error, error) {
	if u, custom := cur.(*unstructured.Unstructured); custom {
		return rewriteCustom(u, v, edit)
	}
	obj := clone(cur)
	partial := reflect.New(reflect.TypeOf(cur).Elem())
	from, to := reflect.ValueOf(cur).Elem(), partial.Elem()
	fields := topFields(from.Type(), touched)
	for _, i := range fields {
		to.Field(i).Set(from.Field(i))
	}
	if touched == nil {
		// A JSON patch can test the kind, which stored objects do not have.
		setType(partial.Interface())
	}
	doc, err := json.Marshal(partial.Interface())
	if err != nil {
		return nil, nil, apierrors.NewInternalError(err)
	}
	doc, err = edit(doc, partial.Elem().Interface())
	if err != nil {
		return nil, nil, err
	}
	patched := reflect.New(from.Type())
	warnings, err := v.decode(doc, patched.Interface())
	if err != nil {
		return nil, nil, err
	}
	result := reflect.ValueOf(obj).Elem()
	for _, i := range fields {
		result.Field(i).Set(patched.Elem().Field(i))
	}
	return obj, warnings, nil
}

// topFields returns the indexes of the struct fields named in touched, or of all.
func topFields(t reflect.Type, touched map[string]json.RawMessage) []int {
	var found []int
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" {
			continue // TypeMeta, which is inlined
		}
		if _, ok := touched[name]; ok || touched == nil {
			found = append(found, i)
		}
	}
	return found
}

// setType sets kind and apiVersion of an object of client-go's scheme.
func setType(o any) {
	obj := registry.As[object](o)
	if kinds, _, err := scheme.Scheme.ObjectKinds(obj); err == nil {
		obj.GetObjectKind().SetGroupVersionKind(kinds[0])
	}
}

// unknownFormat is the error for a body of a media type that is not accepted.
func unknownFormat(accepted []string) error {
	return unsupported("the body of the request was in an unknown format - accepted media types include: " + strings.Join(accepted, ", "))
}

func unsupported(message string) *apierrors.StatusError {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnsupportedMediaType,
		Reason: metav1.StatusReasonUnsupportedMediaType, Message: message,
	}}
}
