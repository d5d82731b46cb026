package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue"
)

// appLabel marks the ConfigMaps that are Executions of this app.
const appLabel = "app.kubernetes.io/name=fxworker"

// state is the state of an Execution.
type state string

const (
	queued    state = "Queued"
	running   state = "Running"
	succeeded state = "Succeeded"
	failed    state = "Failed"
)

func (s state) ended() bool { return s == succeeded || s == failed }

// execution is one record of the store.
type execution struct {
	object      *corev1.ConfigMap
	state       state
	attempts    int
	resumptions int
	flaky       bool // its first attempt fails on purpose
	finished    bool // it has ended and Finish has succeeded
}

func (e *execution) name() string { return e.object.Name }

// kontinue returns the Execution as kontinue sees it.
func (e *execution) kontinue(ttl time.Duration) kontinue.Execution {
	return kontinue.Execution{
		Owner:       metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: e.object.Name, UID: e.object.UID},
		Attempts:    e.attempts,
		Resumptions: e.resumptions,
		ChildPolicy: kontinue.ChildPolicyRetryFailed,
		TTL:         &metav1.Duration{Duration: ttl},
	}
}

// store stores Executions as ConfigMaps. Only one worker process may use it at a
// time; examples/claims shares Executions between several.
type store struct {
	client    kubernetes.Interface
	namespace string
}

func newStore(at place) (*store, error) {
	client, err := kubernetes.NewForConfig(at.config)
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	return &store{client: client, namespace: at.namespace}, nil
}

func (s *store) add(ctx context.Context, flaky bool) error {
	key, value, _ := strings.Cut(appLabel, "=")
	_, err := s.client.CoreV1().ConfigMaps(s.namespace).Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "release-", Labels: map[string]string{key: value}},
		Data:       map[string]string{"state": string(queued), "flaky": strconv.FormatBool(flaky)},
	}, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("add an Execution: %w", err)
	}
	return nil
}

// unfinished returns the Executions that have not been finished, oldest first.
func (s *store) unfinished(ctx context.Context) ([]*execution, error) {
	list, err := s.client.CoreV1().ConfigMaps(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: appLabel})
	if err != nil {
		return nil, fmt.Errorf("read the Executions: %w", err)
	}
	var found []*execution
	for i := range list.Items {
		e, err := read(&list.Items[i])
		if err != nil {
			return nil, err
		}
		if !e.finished {
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b *execution) int {
		return a.object.CreationTimestamp.Compare(b.object.CreationTimestamp.Time)
	})
	return found, nil
}

func read(m *corev1.ConfigMap) (*execution, error) {
	e := &execution{object: m, state: state(m.Data["state"]), flaky: m.Data["flaky"] == "true", finished: m.Data["finished"] == "true"}
	for key, field := range map[string]*int{"attempts": &e.attempts, "resumptions": &e.resumptions} {
		if m.Data[key] == "" {
			continue
		}
		n, err := strconv.Atoi(m.Data[key])
		if err != nil {
			return nil, fmt.Errorf("ConfigMap %s/%s: %s: %w", m.Namespace, m.Name, key, err)
		}
		*field = n
	}
	return e, nil
}

// save updates the ConfigMap. It returns a conflict if another process has changed
// it.
func (s *store) save(ctx context.Context, e *execution) error {
	object := e.object.DeepCopy()
	object.Data["state"] = string(e.state)
	object.Data["attempts"] = strconv.Itoa(e.attempts)
	object.Data["resumptions"] = strconv.Itoa(e.resumptions)
	object.Data["finished"] = strconv.FormatBool(e.finished)
	object, err := s.client.CoreV1().ConfigMaps(s.namespace).Update(ctx, object, metav1.UpdateOptions{})
	if err != nil {
		return fmt.Errorf("save Execution %s: %w", e.name(), err)
	}
	e.object = object
	return nil
}
