package kubelet

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// resolveEnv returns the container's environment. An error is the message of
// CreateContainerConfigError; it names objects and keys, never values.
func (k *Kubelet) resolveEnv(w *podWorker, c *corev1.Container) ([]containers.EnvVar, error) {
	if len(c.Env) == 0 && len(c.EnvFrom) == 0 {
		return nil, nil
	}
	env := newEnv()
	for _, from := range c.EnvFrom {
		data, err := k.envSource(w.pod.Namespace, from)
		if err != nil {
			return nil, err
		}
		for _, key := range slices.Sorted(maps.Keys(data)) {
			env.set(from.Prefix+key, data[key])
		}
	}
	for _, v := range c.Env {
		value, ok := containers.Expand(v.Value, env.lookup), true
		if v.ValueFrom != nil {
			var err error
			if value, ok, err = k.envValue(w, c, v.ValueFrom); err != nil {
				return nil, err
			}
		}
		if ok {
			env.set(v.Name, value)
		}
	}
	return env.list(), nil
}

func (k *Kubelet) envSource(namespace string, from corev1.EnvFromSource) (map[string]string, error) {
	switch {
	case from.ConfigMapRef != nil:
		return k.configMap(namespace, from.ConfigMapRef.Name, from.ConfigMapRef.Optional)
	case from.SecretRef != nil:
		return k.secret(namespace, from.SecretRef.Name, from.SecretRef.Optional)
	}
	return nil, nil
}

// envValue resolves one reference. ok is false for an optional one that does not exist.
func (k *Kubelet) envValue(w *podWorker, c *corev1.Container, from *corev1.EnvVarSource) (value string, ok bool, err error) {
	var data map[string]string
	var key, what string
	var optional *bool
	switch {
	case from.FieldRef != nil:
		value, err = w.field(from.FieldRef.FieldPath)
		return value, err == nil, err
	case from.ResourceFieldRef != nil:
		return resourceField(c, from.ResourceFieldRef), true, nil
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		key, what, optional = ref.Key, "ConfigMap "+w.pod.Namespace+"/"+ref.Name, ref.Optional
		data, err = k.configMap(w.pod.Namespace, ref.Name, optional)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		key, what, optional = ref.Key, "Secret "+w.pod.Namespace+"/"+ref.Name, ref.Optional
		data, err = k.secret(w.pod.Namespace, ref.Name, optional)
	default:
		return "", false, nil
	}
	if err != nil {
		return "", false, err
	}
	value, ok = data[key]
	if !ok && (optional == nil || !*optional) {
		return "", false, fmt.Errorf("couldn't find key %s in %s", key, what)
	}
	return value, ok, nil
}

func (k *Kubelet) configMap(namespace, name string, optional *bool) (map[string]string, error) {
	cm, ok := k.cache.ConfigMaps.ByName(namespace, name)
	if !ok {
		if optional != nil && *optional {
			return nil, nil
		}
		return nil, fmt.Errorf("configmap %q not found", name)
	}
	return cm.Data, nil
}

func (k *Kubelet) secret(namespace, name string, optional *bool) (map[string]string, error) {
	secret, ok := k.cache.Secrets.ByName(namespace, name)
	if !ok {
		if optional != nil && *optional {
			return nil, nil
		}
		return nil, fmt.Errorf("secret %q not found", name)
	}
	data := map[string]string{}
	maps.Copy(data, secret.StringData)
	for key, value := range secret.Data {
		data[key] = string(value)
	}
	return data, nil
}

// field resolves a downward API field.
func (w *podWorker) field(path string) (string, error) {
	pod := w.pod
	if name, key, ok := strings.Cut(strings.TrimSuffix(path, "']"), "['"); ok {
		switch name {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
	}
	switch path {
	case "metadata.labels":
		return formatMap(pod.Labels), nil
	case "metadata.annotations":
		return formatMap(pod.Annotations), nil
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.podIP", "status.podIPs":
		return w.podIP, nil
	case "status.hostIP", "status.hostIPs":
		if w.node != nil {
			return w.node.ip, nil
		}
	}
	return "", fmt.Errorf("unsupported fieldPath %q", path)
}

// formatMap writes labels or annotations as a file of a downward API volume has them.
func formatMap(m map[string]string) string {
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		lines = append(lines, fmt.Sprintf("%s=%q", key, m[key]))
	}
	return strings.Join(lines, "\n")
}

func resourceField(c *corev1.Container, ref *corev1.ResourceFieldSelector) string {
	side, name, _ := strings.Cut(ref.Resource, ".")
	list := c.Resources.Requests
	if side == "limits" {
		list = c.Resources.Limits
	}
	quantity := list[corev1.ResourceName(name)]
	divisor := ref.Divisor
	unit := max(divisor.Value(), 1)
	if divisor.MilliValue() > 0 && divisor.MilliValue() < 1000 {
		return fmt.Sprint((quantity.MilliValue() + divisor.MilliValue() - 1) / divisor.MilliValue())
	}
	return fmt.Sprint((quantity.Value() + unit - 1) / unit)
}

// env keeps variables in the order in which they were first set.
type env struct {
	values map[string]string
	order  []string
}

func newEnv() *env { return &env{values: map[string]string{}} }

func (e *env) set(name, value string) {
	if _, ok := e.values[name]; !ok {
		e.order = append(e.order, name)
	}
	e.values[name] = value
}

func (e *env) lookup(name string) (string, bool) {
	value, ok := e.values[name]
	return value, ok
}

func (e *env) list() []containers.EnvVar {
	out := make([]containers.EnvVar, len(e.order))
	for i, name := range e.order {
		out[i] = containers.EnvVar{Name: name, Value: e.values[name]}
	}
	return out
}
