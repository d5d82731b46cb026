package main

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
)

// The label of the ConfigMaps that own the Jobs of run.
const (
	ownerLabel = "app.kubernetes.io/managed-by"
	ownerValue = "kontinue-run"
)

// owner is the ConfigMap that owns the Jobs of a name.
type owner struct {
	client  kubernetes.Interface
	object  *corev1.ConfigMap
	created bool // by this call
}

// findOwner creates the ConfigMap or finds that of an earlier call. It refuses one that
// another program has made: deleting the Job with it would be a surprise.
func findOwner(ctx context.Context, client kubernetes.Interface, namespace, name string) (*owner, error) {
	configMaps := client.CoreV1().ConfigMaps(namespace)
	object, err := configMaps.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{ownerLabel: ownerValue}},
	}, metav1.CreateOptions{})
	if err == nil {
		return &owner{client, object, true}, nil
	}
	if !apierrors.IsAlreadyExists(err) {
		return nil, fmt.Errorf("create configmap %s/%s, which owns the Job: %w", namespace, name, err)
	}
	if object, err = configMaps.Get(ctx, name, metav1.GetOptions{}); err != nil {
		return nil, fmt.Errorf("get configmap %s/%s, which owns the Job: %w", namespace, name, err)
	}
	if object.Labels[ownerLabel] != ownerValue {
		return nil, fmt.Errorf("configmap %s/%s exists, and is not that of a run (label %s=%s): choose another --name", namespace, name, ownerLabel, ownerValue)
	}
	if object.DeletionTimestamp != nil {
		return nil, fmt.Errorf("configmap %s/%s, which owns the Job, is being deleted: wait, or choose another --name", namespace, name)
	}
	return &owner{client, object, false}, nil
}

// execution returns the Execution of the ConfigMap.
func (o *owner) execution() kontinue.Execution {
	e := kontinue.Execution{
		Namespace: o.object.Namespace,
		Owner:     metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: o.object.Name, UID: o.object.UID},
	}
	if !o.created {
		e.Resumptions = 1 // what there is of it is read with one LIST
	}
	return e
}

// remove deletes the ConfigMap. The garbage collector deletes the Jobs and their pods.
func (o *owner) remove(ctx context.Context) error {
	uid := o.object.UID
	err := o.client.CoreV1().ConfigMaps(o.object.Namespace).Delete(ctx, o.object.Name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete configmap %s/%s, which owns the Job: %w", o.object.Namespace, o.object.Name, err)
	}
	return nil
}
