package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/kontinue/kontinue"
)

// Labels of the ConfigMaps that are Executions of this program, and of its Leases.
const (
	appLabel   = "app.kubernetes.io/name"
	appName    = "claims"
	endedLabel = "claims.example.com/ended" // on an Execution that needs no worker any more
)

// ttl is how long the Jobs of an Execution stay when it has ended.
const ttl = time.Hour

// execution is what a ConfigMap says.
type execution struct {
	object      *corev1.ConfigMap
	worker      string // the process that has claimed it, or had before it died
	state       string // "", Succeeded or Failed
	attempts    int
	resumptions int
}

func read(object *corev1.ConfigMap) *execution {
	e := &execution{object: object, worker: object.Data["worker"], state: object.Data["state"]}
	// A count that is not there, or that somebody has edited, is 0.
	e.attempts, _ = strconv.Atoi(object.Data["attempts"])
	e.resumptions, _ = strconv.Atoi(object.Data["resumptions"])
	return e
}

// kontinue returns the Execution as kontinue sees it: the ConfigMap owns its Jobs.
func (e *execution) kontinue() kontinue.Execution {
	return kontinue.Execution{
		Owner:       metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: e.object.Name, UID: e.object.UID},
		Attempts:    e.attempts,
		Resumptions: e.resumptions,
		ChildPolicy: kontinue.ChildPolicyRetryFailed,
		TTL:         &metav1.Duration{Duration: ttl},
	}
}

// store has the Executions of a namespace.
type store struct {
	maps corev1client.ConfigMapInterface
}

func (s store) add(ctx context.Context) error {
	_, err := s.maps.Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		GenerateName: "release-", Labels: map[string]string{appLabel: appName},
	}}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("add an Execution: %w", err)
	}
	return nil
}

// open returns the Executions that have not ended.
func (s store) open(ctx context.Context) ([]*execution, error) {
	list, err := s.maps.List(ctx, metav1.ListOptions{LabelSelector: appLabel + "=" + appName + ",!" + endedLabel})
	if err != nil {
		return nil, fmt.Errorf("read the Executions: %w", err)
	}
	var found []*execution
	for i := range list.Items {
		found = append(found, read(&list.Items[i]))
	}
	return found, nil
}

// save writes the Execution. The API server refuses it with a conflict if anything else has
// written the object since it was read: it compares the resource version.
func (s store) save(ctx context.Context, e *execution) error {
	object := e.object.DeepCopy()
	object.Data = map[string]string{
		"worker": e.worker, "state": e.state,
		"attempts": strconv.Itoa(e.attempts), "resumptions": strconv.Itoa(e.resumptions),
	}
	object, err := s.maps.Update(ctx, object, metav1.UpdateOptions{})
	if err != nil {
		return fmt.Errorf("save Execution %s: %w", e.object.Name, err)
	}
	e.object = object
	return nil
}

// end marks an Execution as one that needs no worker any more.
func (s store) end(ctx context.Context, e *execution) error {
	e.object.Labels[endedLabel] = "true"
	return s.save(ctx, e)
}
