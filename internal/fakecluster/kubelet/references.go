package kubelet

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// fetchReferences reads the ConfigMaps and Secrets that a pod refers to into the
// cache, as a kubelet does for a new pod: its containers must see all writes from before
// the pod was created, and a watch may be behind. It also finds the pod's claims.
func (k *Kubelet) fetchReferences(ctx context.Context, w *podWorker) error {
	pod := w.pod
	if err := k.findClaims(ctx, w); err != nil {
		return err
	}
	configMaps, secrets := references(&pod.Spec)
	if err := fetch(ctx, configMaps, k.client.CoreV1().ConfigMaps(pod.Namespace).Get, k.cache.ConfigMaps.Put); err != nil {
		return err
	}
	return fetch(ctx, secrets, k.client.CoreV1().Secrets(pod.Namespace).Get, k.cache.Secrets.Put)
}

// fetch puts those of the named objects that exist.
func fetch[T any](ctx context.Context, names map[string]bool, get func(context.Context, string, metav1.GetOptions) (T, error), put func(T)) error {
	for name := range names {
		switch object, err := get(ctx, name, metav1.GetOptions{}); {
		case err == nil:
			put(object)
		case !apierrors.IsNotFound(err):
			return err
		}
	}
	return nil
}

// references returns the names of the ConfigMaps and Secrets of volumes and
// environments.
func references(spec *corev1.PodSpec) (configMaps, secrets map[string]bool) {
	configMaps, secrets = map[string]bool{}, map[string]bool{}
	for _, v := range spec.Volumes {
		if v.ConfigMap != nil {
			configMaps[v.ConfigMap.Name] = true
		}
		if v.Secret != nil {
			secrets[v.Secret.SecretName] = true
		}
		if v.Projected == nil {
			continue
		}
		for _, source := range v.Projected.Sources {
			if source.ConfigMap != nil {
				configMaps[source.ConfigMap.Name] = true
			}
			if source.Secret != nil {
				secrets[source.Secret.Name] = true
			}
		}
	}
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			for _, from := range list[i].EnvFrom {
				if from.ConfigMapRef != nil {
					configMaps[from.ConfigMapRef.Name] = true
				}
				if from.SecretRef != nil {
					secrets[from.SecretRef.Name] = true
				}
			}
			for _, v := range list[i].Env {
				if v.ValueFrom == nil {
					continue
				}
				if ref := v.ValueFrom.ConfigMapKeyRef; ref != nil {
					configMaps[ref.Name] = true
				}
				if ref := v.ValueFrom.SecretKeyRef; ref != nil {
					secrets[ref.Name] = true
				}
			}
		}
	}
	return configMaps, secrets
}
