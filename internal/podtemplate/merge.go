package podtemplate

import (
	"encoding/json"
	"fmt"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
)

// DefaultContainer is the name of the container of a base that is the base of every
// container and init container.
const DefaultContainer = "default"

// Merge returns the template of a step over the base. It changes neither, and the result
// shares no memory with the base.
func Merge(base, own *corev1.PodTemplateSpec) (*corev1.PodTemplateSpec, error) {
	common, def := split(base)
	own = own.DeepCopy()
	containers, inits := own.Spec.Containers, own.Spec.InitContainers
	own.Spec.Containers, own.Spec.InitContainers = nil, nil
	lists := mergeLists(&common.Spec, &own.Spec)
	merged, err := patch(common, own)
	if err != nil {
		return nil, fmt.Errorf("merge the pod template: %w", err)
	}
	lists(&merged.Spec)
	merged.Spec.Containers, merged.Spec.InitContainers = containers, inits
	if def == nil {
		return merged, nil
	}
	for _, list := range [][]corev1.Container{containers, inits} {
		for i := range list {
			if list[i], err = mergeContainer(def.DeepCopy(), list[i]); err != nil {
				return nil, fmt.Errorf("merge container %q of the pod template: %w", list[i].Name, err)
			}
		}
	}
	return merged, nil
}

// split returns a copy of the base without containers, and its default container or nil.
func split(base *corev1.PodTemplateSpec) (common *corev1.PodTemplateSpec, def *corev1.Container) {
	common = base.DeepCopy()
	for i := range common.Spec.Containers {
		if common.Spec.Containers[i].Name == DefaultContainer {
			def = &common.Spec.Containers[i]
		}
	}
	common.Spec.Containers = nil
	return common, def
}

func mergeContainer(def *corev1.Container, own corev1.Container) (corev1.Container, error) {
	// The kinds of a handler exclude each other, and would be merged.
	for _, probe := range []struct{ base, own **corev1.Probe }{
		{&def.LivenessProbe, &own.LivenessProbe}, {&def.ReadinessProbe, &own.ReadinessProbe}, {&def.StartupProbe, &own.StartupProbe},
	} {
		if *probe.own != nil {
			*probe.base = nil
		}
	}
	if own.Lifecycle != nil {
		def.Lifecycle = nil
	}
	env := byKey(def.Env, own.Env, func(v corev1.EnvVar) string { return v.Name })
	mounts := byKey(def.VolumeMounts, own.VolumeMounts, func(m corev1.VolumeMount) string { return m.MountPath })
	ports := byKey(def.Ports, own.Ports, func(p corev1.ContainerPort) string { return strconv.Itoa(int(p.ContainerPort)) })
	def.Env, own.Env, def.VolumeMounts, own.VolumeMounts, def.Ports, own.Ports = nil, nil, nil, nil, nil, nil
	merged, err := patch(def, &own)
	if err != nil {
		return own, err
	}
	merged.Env, merged.VolumeMounts, merged.Ports = env, mounts, ports
	return *merged, nil
}

// mergeLists takes from both specs the lists whose elements the step replaces as a whole,
// and returns a function that sets them.
func mergeLists(base, own *corev1.PodSpec) func(*corev1.PodSpec) {
	volumes := byKey(base.Volumes, own.Volumes, func(v corev1.Volume) string { return v.Name })
	claims := byKey(base.ResourceClaims, own.ResourceClaims, func(c corev1.PodResourceClaim) string { return c.Name })
	spread := byKey(base.TopologySpreadConstraints, own.TopologySpreadConstraints, func(c corev1.TopologySpreadConstraint) string { return c.TopologyKey })
	base.Volumes, own.Volumes, base.ResourceClaims, own.ResourceClaims = nil, nil, nil, nil
	base.TopologySpreadConstraints, own.TopologySpreadConstraints = nil, nil
	return func(spec *corev1.PodSpec) {
		spec.Volumes, spec.ResourceClaims, spec.TopologySpreadConstraints = volumes, claims, spread
	}
}

// byKey returns the elements of the base whose key none of the own has, and then the own.
// A strategic merge patch would merge two elements of a key: the sources of a volume, the
// value of a variable and where another one comes from, the protocols of a port.
func byKey[T any](base, own []T, key func(T) string) []T {
	if len(base) == 0 {
		return own
	}
	taken := map[string]bool{}
	for _, e := range own {
		taken[key(e)] = true
	}
	var all []T
	for _, e := range base {
		if !taken[key(e)] {
			all = append(all, e)
		}
	}
	return append(all, own...)
}

// patch applies own over base as a strategic merge patch.
func patch[T any](base, own *T) (*T, error) {
	original, err := json.Marshal(base)
	if err != nil {
		return nil, err
	}
	change, err := json.Marshal(own)
	if err != nil {
		return nil, err
	}
	merged := new(T)
	result, err := strategicpatch.StrategicMergePatch(original, change, merged)
	if err != nil {
		return nil, err
	}
	return merged, json.Unmarshal(result, merged)
}
