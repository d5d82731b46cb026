package registry

import (
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// CustomStrategy returns the strategy of a custom resource, with or without a status
// subresource. Its objects are *unstructured.Unstructured, and everything but their
// metadata is accepted as it is: there is no schema.
func CustomStrategy(status bool) Strategy {
	return Strategy{
		Generation:             true,
		RequireResourceVersion: true,
		create: func(o Object) {
			if status {
				delete(As[*unstructured.Unstructured](o).Object, "status")
			}
		},
		update: func(obj, cur Object, sub string) {
			to, from := As[*unstructured.Unstructured](obj), As[*unstructured.Unstructured](cur)
			if sub == "status" {
				updateCustomStatus(to, from)
			} else {
				updateCustom(to, from, status)
			}
		},
	}
}

// updateCustom keeps the status, and counts a change of anything but the metadata.
func updateCustom(obj, cur *unstructured.Unstructured, status bool) {
	if status {
		setField(obj.Object, "status", cur.Object)
	}
	if !apiequality.Semantic.DeepEqual(withoutMetadata(obj.Object), withoutMetadata(cur.Object)) {
		obj.SetGeneration(cur.GetGeneration() + 1)
	}
}

// updateCustomStatus keeps everything but the status and the managed fields, which are
// tracked for the status as well.
func updateCustomStatus(obj, cur *unstructured.Unstructured) {
	managed, changed := obj.GetManagedFields(), obj.Object
	obj.Object = cur.DeepCopy().Object
	setField(obj.Object, "status", changed)
	setManagedFields(obj, managed)
}

func setManagedFields(obj *unstructured.Unstructured, managed []metav1.ManagedFieldsEntry) {
	if len(managed) == 0 {
		managed = nil // the setter then removes the field
	}
	obj.SetManagedFields(managed)
}

// setField makes the field of doc equal to that of from, where it may be absent.
func setField(doc map[string]any, name string, from map[string]any) {
	if value, ok := from[name]; ok {
		doc[name] = value
	} else {
		delete(doc, name)
	}
}

func withoutMetadata(doc map[string]any) map[string]any {
	rest := make(map[string]any, len(doc))
	for name, value := range doc {
		if name != "metadata" {
			rest[name] = value
		}
	}
	return rest
}
