package apiserver

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// The namespace label that selects the Pod Security Standard to enforce.
const (
	enforceLabel        = "pod-security.kubernetes.io/enforce"
	enforceVersionLabel = "pod-security.kubernetes.io/enforce-version"
)

// checkPodSecurity is the PodSecurity admission plugin for the levels baseline and
// restricted. It looks at pods only: a Job with a forbidden template is accepted, and
// its controller cannot create the pods.
func (s *Server) checkPodSecurity(c call, o object) error {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return nil
	}
	ns, _ := s.load(namespaces, "", c.ns).(*corev1.Namespace)
	if ns == nil {
		return nil
	}
	level := ns.Labels[enforceLabel]
	if level != "baseline" && level != "restricted" {
		return nil
	}
	found := hostNamespaces(&pod.Spec)
	if level == "baseline" {
		found = append(found, hostPaths(&pod.Spec)...)
	}
	found = append(found, privileged(&pod.Spec)...)
	if level == "restricted" {
		found = append(found, restrictedViolations(&pod.Spec)...)
	}
	if len(found) == 0 {
		return nil
	}
	version := ns.Labels[enforceVersionLabel]
	if version == "" {
		version = "latest"
	}
	return apierrors.NewForbidden(c.res.groupResource(), c.name,
		fmt.Errorf("violates PodSecurity %q: %s", level+":"+version, strings.Join(found, ", ")))
}

// offenders words the list of containers that fail a test, "" if there are none.
func offenders(spec *corev1.PodSpec, must string, bad func(*corev1.Container) bool) string {
	var names []string
	eachContainer(spec, func(c *corev1.Container) {
		if bad(c) {
			names = append(names, c.Name)
		}
	})
	if len(names) == 0 {
		return ""
	}
	return fmt.Sprintf("%s %s must %s", plural(len(names), "container", "containers"), quoted(names), must)
}

func security(c *corev1.Container) corev1.SecurityContext {
	if c.SecurityContext == nil {
		return corev1.SecurityContext{}
	}
	return *c.SecurityContext
}

func hostNamespaces(spec *corev1.PodSpec) []string {
	var which []string
	for _, h := range []struct {
		on   bool
		name string
	}{{spec.HostNetwork, "hostNetwork=true"}, {spec.HostPID, "hostPID=true"}, {spec.HostIPC, "hostIPC=true"}} {
		if h.on {
			which = append(which, h.name)
		}
	}
	if len(which) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("host namespaces (%s)", strings.Join(which, ", "))}
}

func hostPaths(spec *corev1.PodSpec) []string {
	var names []string
	for i := range spec.Volumes {
		if spec.Volumes[i].HostPath != nil {
			names = append(names, spec.Volumes[i].Name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("hostPath volumes (%s %s)", plural(len(names), "volume", "volumes"), quoted(names))}
}

func privileged(spec *corev1.PodSpec) []string {
	text := offenders(spec, "not set securityContext.privileged=true", func(c *corev1.Container) bool {
		p := security(c).Privileged
		return p != nil && *p
	})
	if text == "" {
		return nil
	}
	return []string{fmt.Sprintf("privileged (%s)", text)}
}

// freeVolumeTypes are those that the restricted level allows.
var freeVolumeTypes = []string{
	"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}

// restrictedVolumes words which volumes are of another type.
func restrictedVolumes(spec *corev1.PodSpec) string {
	var names, types []string
	for i := range spec.Volumes {
		if t := volumeType(&spec.Volumes[i].VolumeSource); !slices.Contains(freeVolumeTypes, t) {
			names = append(names, spec.Volumes[i].Name)
			types = append(types, t)
		}
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(types)
	types = slices.Compact(types)
	return fmt.Sprintf("%s %s %s restricted volume %s %s", plural(len(names), "volume", "volumes"), quoted(names),
		plural(len(names), "uses", "use"), plural(len(types), "type", "types"), quoted(types))
}

// volumeType returns the API's name of the one source that is set.
func volumeType(source *corev1.VolumeSource) string {
	v := reflect.ValueOf(source).Elem()
	for i := range v.NumField() {
		if !v.Field(i).IsNil() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			return name
		}
	}
	return "unknown"
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

func quoted(names []string) string {
	return `"` + strings.Join(names, `", "`) + `"`
}

func restrictedViolations(spec *corev1.PodSpec) []string {
	pod := spec.SecurityContext
	if pod == nil {
		pod = &corev1.PodSecurityContext{}
	}
	var found []string
	report := func(name, text string) {
		if text != "" {
			found = append(found, fmt.Sprintf("%s (%s)", name, text))
		}
	}
	report("allowPrivilegeEscalation != false", offenders(spec, "set securityContext.allowPrivilegeEscalation=false", func(c *corev1.Container) bool {
		a := security(c).AllowPrivilegeEscalation
		return a == nil || *a
	}))
	report("unrestricted capabilities", offenders(spec, `set securityContext.capabilities.drop=["ALL"]`, func(c *corev1.Container) bool {
		caps := security(c).Capabilities
		return caps == nil || !slices.Contains(caps.Drop, "ALL")
	}))
	report("restricted volume types", restrictedVolumes(spec))
	report("runAsNonRoot != true", either(offenders(spec, "set securityContext.runAsNonRoot=true", func(c *corev1.Container) bool {
		own := security(c).RunAsNonRoot
		if own != nil {
			return !*own
		}
		return pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot
	})))
	if pod.RunAsUser != nil && *pod.RunAsUser == 0 {
		report("runAsUser=0", "pod must not set runAsUser=0")
	} else {
		report("runAsUser=0", offenders(spec, "not set runAsUser=0", func(c *corev1.Container) bool {
			u := security(c).RunAsUser
			return u != nil && *u == 0
		}))
	}
	allowed := func(p *corev1.SeccompProfile) bool {
		return p.Type == corev1.SeccompProfileTypeRuntimeDefault || p.Type == corev1.SeccompProfileTypeLocalhost
	}
	report("seccompProfile", either(offenders(spec, `set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"`, func(c *corev1.Container) bool {
		if own := security(c).SeccompProfile; own != nil {
			return !allowed(own)
		}
		return pod.SeccompProfile == nil || !allowed(pod.SeccompProfile)
	})))
	return found
}

// either adds that the pod's own security context would do as well.
func either(text string) string {
	if text == "" {
		return ""
	}
	return "pod or " + text
}
