package kontinuetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	jsonpatch "gopkg.in/evanphx/json-patch.v4"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/kontinue/kontinue/internal/flight"
	"github.com/kontinue/kontinue/internal/identity"
)

const (
	jobsResource = "jobs"
	podsResource = "pods"
)

// decode returns the object of a line.
func decode[T any](line *flight.Line) (*T, error) {
	object := new(T)
	if err := json.Unmarshal(line.Object, object); err != nil {
		return nil, fmt.Errorf("the object of the %s after %s cannot be read: %w", line.Kind, line.At, err)
	}
	return object, nil
}

// decodeEvent returns the object of an event of a watch.
func decodeEvent(resource string, line *flight.Line) (runtime.Object, error) {
	switch {
	case line.Event == string(watch.Error):
		return decode[metav1.Status](line)
	case resource == jobsResource:
		return decode[batchv1.Job](line)
	case resource == podsResource:
		return decode[corev1.Pod](line)
	}
	return nil, fmt.Errorf("the line that opened watch %d is missing", line.Watch)
}

// objects are the Jobs and Pods that the recording has shown so far, by resource and name.
type objects map[string]metav1.Object

func objectKey(resource, namespace, name string) string {
	return resource + " " + namespace + "/" + name
}

func (o objects) set(object metav1.Object) {
	switch object.(type) {
	case *batchv1.Job:
		o[objectKey(jobsResource, object.GetNamespace(), object.GetName())] = object
	case *corev1.Pod:
		o[objectKey(podsResource, object.GetNamespace(), object.GetName())] = object
	}
}

// event folds in an event. A Job that the watch no longer selects, since its step has its
// record, still exists.
func (o objects) event(e watch.Event) {
	object, ok := e.Object.(metav1.Object)
	if !ok || e.Type == watch.Bookmark {
		return
	}
	if e.Type != watch.Deleted {
		// The informer that gets the event strips it.
		if kept, ok := e.Object.DeepCopyObject().(metav1.Object); ok {
			o.set(kept)
		}
		return
	}
	for _, resource := range []string{jobsResource, podsResource} {
		key := objectKey(resource, object.GetNamespace(), object.GetName())
		known, ok := o[key]
		if _, recorded := labelsOf(known)[identity.LabelRecorded]; ok && !recorded && known.GetUID() == object.GetUID() {
			delete(o, key)
		}
	}
}

func labelsOf(object metav1.Object) map[string]string {
	if object == nil {
		return nil
	}
	return object.GetLabels()
}

// answer folds in the answer to a request.
func (o objects) answer(line *flight.Line) error {
	q := line.Request
	switch {
	case line.Error != nil && line.Error.Status != nil && line.Error.Status.Reason == metav1.StatusReasonNotFound:
		delete(o, objectKey(q.Resource, q.Namespace, q.Name))
	case len(line.Object) == 0:
	case q.Resource == jobsResource && q.Verb == "list":
		list, err := decode[batchv1.JobList](line)
		if err != nil {
			return err
		}
		for i := range list.Items {
			o.set(&list.Items[i])
		}
	case q.Resource == podsResource && q.Verb == "list":
		list, err := decode[corev1.PodList](line)
		if err != nil {
			return err
		}
		for i := range list.Items {
			o.set(&list.Items[i])
		}
	case q.Resource == jobsResource:
		job, err := decode[batchv1.Job](line)
		if err != nil {
			return err
		}
		o.set(job)
	}
	return nil
}

// get returns a copy of an object, or a 404.
func get[T interface {
	metav1.Object
	DeepCopy() T
}](o objects, q flight.Request) (none T, _ error) {
	object, ok := o[objectKey(q.Resource, q.Namespace, q.Name)].(T)
	if !ok {
		return none, apierrors.NewNotFound(schema.GroupResource{Resource: q.Resource}, q.Name)
	}
	return object.DeepCopy(), nil
}

// list returns copies of the objects of a resource that a label selector matches.
func list[T interface {
	metav1.Object
	DeepCopy() T
}](o objects, q flight.Request) (all []T, _ error) {
	selector, err := labels.Parse(q.Selector)
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(o)) {
		object, ok := o[key].(T)
		if ok && (q.Namespace == "" || q.Namespace == object.GetNamespace()) && selector.Matches(labels.Set(object.GetLabels())) {
			all = append(all, object.DeepCopy())
		}
	}
	return all, nil
}

// patch changes a Job.
func (o objects) patch(q flight.Request, kind types.PatchType, data []byte) (*batchv1.Job, error) {
	job, err := get[*batchv1.Job](o, q)
	if err != nil {
		return nil, err
	}
	before, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	var after []byte
	if kind == types.JSONPatchType {
		var patch jsonpatch.Patch
		if patch, err = jsonpatch.DecodePatch(data); err == nil {
			after, err = patch.Apply(before)
		}
	} else {
		after, err = jsonpatch.MergePatch(before, data)
	}
	changed := new(batchv1.Job)
	if err == nil {
		err = json.Unmarshal(after, changed)
	}
	if err != nil {
		return nil, apierrors.NewInvalid(batchv1.SchemeGroupVersion.WithKind("Job").GroupKind(), q.Name, field.ErrorList{field.InternalError(nil, err)})
	}
	o.set(changed)
	return changed.DeepCopy(), nil
}
