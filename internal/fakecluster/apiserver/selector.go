package apiserver

import (
	"fmt"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

// matcher compiles the selectors of a list or watch; nil matches everything.
func matcher(r *resource, opts metav1.ListOptions) (func(object) bool, error) {
	byLabel, err := labels.Parse(opts.LabelSelector)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	byField, err := fields.ParseSelector(opts.FieldSelector)
	if err != nil {
		return nil, apierrors.NewBadRequest(err.Error())
	}
	for _, req := range byField.Requirements() {
		if _, ok := selectableFields(r.newObject())[req.Field]; !ok {
			return nil, unknownField(r, req.Field)
		}
	}
	switch {
	case byLabel.Empty() && byField.Empty():
		return nil, nil
	case byField.Empty():
		return func(o object) bool { return byLabel.Matches(labels.Set(o.GetLabels())) }, nil
	default:
		return func(o object) bool {
			return byLabel.Matches(labels.Set(o.GetLabels())) && byField.Matches(selectableFields(o))
		}, nil
	}
}

// unknownField is the error for a field selector. Jobs word it in their own way.
func unknownField(r *resource, field string) error {
	if r.gvk == batchv1.SchemeGroupVersion.WithKind("Job") {
		return apierrors.NewBadRequest(fmt.Sprintf("field label %q not supported for Job", field))
	}
	return apierrors.NewBadRequest(fmt.Sprintf("field label not supported: %s", field))
}

// selectableFields returns the fields the API server can select the type by.
func selectableFields(o object) fields.Set {
	set := fields.Set{"metadata.name": o.GetName(), "metadata.namespace": o.GetNamespace()}
	switch o := o.(type) {
	case *corev1.Pod:
		set["spec.nodeName"] = o.Spec.NodeName
		set["spec.restartPolicy"] = string(o.Spec.RestartPolicy)
		set["spec.schedulerName"] = o.Spec.SchedulerName
		set["spec.serviceAccountName"] = o.Spec.ServiceAccountName
		set["spec.hostNetwork"] = strconv.FormatBool(o.Spec.HostNetwork)
		set["status.phase"] = string(o.Status.Phase)
		set["status.podIP"] = o.Status.PodIP
		set["status.nominatedNodeName"] = o.Status.NominatedNodeName
	case *batchv1.Job:
		set["status.successful"] = strconv.Itoa(int(o.Status.Succeeded))
	case *corev1.Event:
		set["involvedObject.kind"] = o.InvolvedObject.Kind
		set["involvedObject.namespace"] = o.InvolvedObject.Namespace
		set["involvedObject.name"] = o.InvolvedObject.Name
		set["involvedObject.uid"] = string(o.InvolvedObject.UID)
		set["involvedObject.apiVersion"] = o.InvolvedObject.APIVersion
		set["involvedObject.resourceVersion"] = o.InvolvedObject.ResourceVersion
		set["involvedObject.fieldPath"] = o.InvolvedObject.FieldPath
		set["reason"] = o.Reason
		set["reportingComponent"] = o.ReportingController
		set["source"] = o.Source.Component
		set["type"] = o.Type
	case *corev1.Namespace:
		set["status.phase"] = string(o.Status.Phase)
	case *corev1.Node:
		set["spec.unschedulable"] = strconv.FormatBool(o.Spec.Unschedulable)
	case *corev1.Secret:
		set["type"] = string(o.Type)
	}
	return set
}
