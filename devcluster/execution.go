package devcluster

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue"
)

// NewExecution creates a ConfigMap with the given name to own Jobs, and returns an
// Execution on its first attempt that refers to it. If there is one with that name, as after
// a restart of the program, it returns an Execution of that one. The caller sets Attempts,
// Resumptions, ChildPolicy and other fields before it uses the Execution.
//
// The ConfigMap's deletion deletes the Jobs.
func (c *Cluster) NewExecution(ctx context.Context, namespace, name string) (kontinue.Execution, error) {
	if namespace == "" {
		return kontinue.Execution{}, errors.New("devcluster: create an Execution: the namespace is empty")
	}
	maps := c.Clientset().CoreV1().ConfigMaps(namespace)
	owner, err := maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}}, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		owner, err = maps.Get(ctx, name, metav1.GetOptions{})
	}
	if err != nil {
		return kontinue.Execution{}, fmt.Errorf("devcluster: create ConfigMap %s/%s for an Execution: %w", namespace, name, err)
	}
	if owner.DeletionTimestamp != nil {
		return kontinue.Execution{}, fmt.Errorf("devcluster: ConfigMap %s/%s, of an earlier Execution, is being deleted: wait until it is gone, or use another name", namespace, name)
	}
	return kontinue.Execution{
		Namespace: namespace,
		Owner:     *metav1.NewControllerRef(owner, corev1.SchemeGroupVersion.WithKind("ConfigMap")),
	}, nil
}
