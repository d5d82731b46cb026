package kubelet

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// mountRetry is when the kubelet tries again to mount a volume for which nothing but the
// runtime is missing.
const mountRetry = 10 * time.Second

// mount gives the pod's volumes to the runtime, with what they hold now. An error is the
// message of the FailedMount event.
func (k *Kubelet) mount(w *podWorker) error {
	if len(w.pod.Spec.Volumes) == 0 {
		return nil
	}
	volumes := make([]containers.Volume, len(w.pod.Spec.Volumes))
	for i := range w.pod.Spec.Volumes {
		v := &w.pod.Spec.Volumes[i]
		files, err := k.volumeFiles(w, v)
		if err != nil {
			return fmt.Errorf("MountVolume.SetUp failed for volume %q : %w", v.Name, err)
		}
		volumes[i] = containers.Volume{Name: v.Name, Files: files}
		if v.PersistentVolumeClaim != nil {
			volumes[i].Claim = w.claims[v.PersistentVolumeClaim.ClaimName]
		}
	}
	return k.runtime.Mount(w.pod, volumes)
}

// remount replaces the files of volumes whose Secret or ConfigMap, or whose pod, has
// changed. A volume that cannot be mounted any more keeps them, as on a real node.
func (k *Kubelet) remount(w *podWorker) {
	if err := k.mount(w); err != nil {
		w.lastMount = err.Error()
	}
}

// warnMounts records a FailedMount event, once for each message.
func (k *Kubelet) warnMounts(ctx context.Context, w *podWorker) {
	if w.lastMount != "" && w.lastMount != w.mountEvent {
		w.mountEvent = w.lastMount
		k.event(ctx, w, "kubelet", "FailedMount", w.lastMount)
	}
}

// volumeFiles returns the files of a volume that shows objects of the cluster.
func (k *Kubelet) volumeFiles(w *podWorker, v *corev1.Volume) (map[string]containers.File, error) {
	switch {
	case v.Secret != nil:
		s := v.Secret
		return k.secretFiles(w, s.SecretName, s.Items, s.Optional, s.DefaultMode)
	case v.ConfigMap != nil:
		s := v.ConfigMap
		return k.configMapFiles(w, s.Name, s.Items, s.Optional, s.DefaultMode)
	case v.DownwardAPI != nil:
		return w.fieldFiles(v.DownwardAPI.Items, v.DownwardAPI.DefaultMode)
	case v.Projected != nil:
		return k.projectedFiles(w, v.Projected)
	}
	return nil, nil
}

// projectedFiles joins the files of the sources. The errors are those of all of them.
func (k *Kubelet) projectedFiles(w *podWorker, v *corev1.ProjectedVolumeSource) (map[string]containers.File, error) {
	all := map[string]containers.File{}
	var messages []string
	for _, source := range v.Sources {
		var files map[string]containers.File
		var err error
		switch {
		case source.Secret != nil:
			s := source.Secret
			files, err = k.secretFiles(w, s.Name, s.Items, s.Optional, v.DefaultMode)
		case source.ConfigMap != nil:
			s := source.ConfigMap
			files, err = k.configMapFiles(w, s.Name, s.Items, s.Optional, v.DefaultMode)
		case source.DownwardAPI != nil:
			files, err = w.fieldFiles(source.DownwardAPI.Items, v.DefaultMode)
		}
		if err != nil {
			messages = append(messages, err.Error())
		}
		maps.Copy(all, files)
	}
	switch len(messages) {
	case 0:
		return all, nil
	case 1:
		return nil, errors.New(messages[0])
	}
	return nil, errors.New("[" + strings.Join(messages, ", ") + "]")
}

func (k *Kubelet) secretFiles(w *podWorker, name string, items []corev1.KeyToPath, optional *bool, mode *int32) (map[string]containers.File, error) {
	data, err := k.secret(w.pod.Namespace, name, optional)
	if err != nil {
		return nil, err
	}
	return keyFiles("secret", data, items, optional, mode)
}

func (k *Kubelet) configMapFiles(w *podWorker, name string, items []corev1.KeyToPath, optional *bool, mode *int32) (map[string]containers.File, error) {
	data, err := k.configMap(w.pod.Namespace, name, optional)
	if err != nil {
		return nil, err
	}
	if cm, ok := k.cache.ConfigMaps.ByName(w.pod.Namespace, name); ok && len(cm.BinaryData) > 0 {
		data = maps.Clone(data)
		if data == nil {
			data = map[string]string{}
		}
		for key, value := range cm.BinaryData {
			data[key] = string(value)
		}
	}
	return keyFiles("config", data, items, optional, mode)
}

// defaultFileMode is the mode of files without one. The API server sets it in new pods.
const defaultFileMode = 0o644

// keyFiles returns the files of a Secret or a ConfigMap.
func keyFiles(what string, data map[string]string, items []corev1.KeyToPath, optional *bool, mode *int32) (map[string]containers.File, error) {
	files := map[string]containers.File{}
	if len(items) == 0 {
		for key, value := range data {
			files[key] = containers.File{Data: value, Mode: modeOf(nil, mode)}
		}
		return files, nil
	}
	for _, item := range items {
		value, ok := data[item.Key]
		switch {
		case ok:
			files[path.Clean(item.Path)] = containers.File{Data: value, Mode: modeOf(item.Mode, mode)}
		case optional == nil || !*optional:
			return nil, fmt.Errorf("references non-existent %s key: %s", what, item.Key)
		}
	}
	return files, nil
}

func modeOf(own, volume *int32) int32 {
	for _, mode := range []*int32{own, volume} {
		if mode != nil {
			return *mode
		}
	}
	return defaultFileMode
}

// fieldFiles returns the files of a downward API volume.
func (w *podWorker) fieldFiles(items []corev1.DownwardAPIVolumeFile, mode *int32) (map[string]containers.File, error) {
	files := map[string]containers.File{}
	for _, item := range items {
		var value string
		var err error
		switch {
		case item.FieldRef != nil:
			value, err = w.field(item.FieldRef.FieldPath)
		case item.ResourceFieldRef != nil:
			value, err = w.resourceOf(item.ResourceFieldRef)
		}
		if err != nil {
			return nil, err
		}
		files[path.Clean(item.Path)] = containers.File{Data: value, Mode: modeOf(item.Mode, mode)}
	}
	return files, nil
}

func (w *podWorker) resourceOf(ref *corev1.ResourceFieldSelector) (string, error) {
	for _, c := range w.containers {
		if c.spec.Name == ref.ContainerName {
			return resourceField(c.spec, ref), nil
		}
	}
	return "", fmt.Errorf("container %s not found", ref.ContainerName)
}

// showsPod reports whether a volume of the pod shows the pod's own fields.
func showsPod(spec *corev1.PodSpec) bool {
	return slices.ContainsFunc(spec.Volumes, func(v corev1.Volume) bool {
		return v.DownwardAPI != nil || v.Projected != nil && slices.ContainsFunc(v.Projected.Sources,
			func(s corev1.VolumeProjection) bool { return s.DownwardAPI != nil })
	})
}

// mountedFiles returns the files that a container sees in its volumes, by their paths in
// the container.
func (k *Kubelet) mountedFiles(w *podWorker, c *corev1.Container) map[string]string {
	if len(c.VolumeMounts) == 0 {
		return nil
	}
	mounted := map[string]string{}
	for _, m := range c.VolumeMounts {
		at := slices.IndexFunc(w.pod.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name })
		if at < 0 {
			continue
		}
		files, _ := k.volumeFiles(w, &w.pod.Spec.Volumes[at]) // it was mounted, and may be gone since
		for name, file := range files {
			switch rest, below := strings.CutPrefix(name, path.Clean(m.SubPath)+"/"); {
			case m.SubPath == "":
				mounted[path.Join(m.MountPath, name)] = file.Data
			case name == path.Clean(m.SubPath):
				mounted[path.Clean(m.MountPath)] = file.Data
			case below:
				mounted[path.Join(m.MountPath, rest)] = file.Data
			}
		}
	}
	return mounted
}
