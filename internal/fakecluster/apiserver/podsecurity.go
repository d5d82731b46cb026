package apiserver

import (
	"fmt"
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
	var found []string
	if level == "restricted" {
		found = append(baselineViolations(&pod.Spec), restrictedViolations(&pod.Spec)...)
	} else {
		found = baselineViolations(&pod.Spec)
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
			names = append(names, fmt.Sprintf("%q", c.Name))
		}
	})
	switch len(names) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("container %s must %s", names[0], must)
	default:
		return fmt.Sprintf("containers %s must %s", strings.Join(names, ", "), must)
	}
}

func security(c *corev1.Container) corev1.SecurityContext {
	if c.SecurityContext == nil {
		return corev1.SecurityContext{}
	}
	return *c.SecurityContext
}

func baselineViolations(spec *corev1.PodSpec) []string {
	var found []string
	if spec.HostNetwork || spec.HostPID || spec.HostIPC {
		var which []string
		for _, h := range []struct {
			on   bool
			name string
		}{{spec.HostNetwork, "hostNetwork=true"}, {spec.HostPID, "hostPID=true"}, {spec.HostIPC, "hostIPC=true"}} {
			if h.on {
				which = append(which, h.name)
			}
		}
		found = append(found, fmt.Sprintf("host namespaces (%s)", strings.Join(which, ", ")))
	}
	var hostPaths []string
	for _, v := range spec.Volumes {
		if v.HostPath != nil {
			hostPaths = append(hostPaths, fmt.Sprintf("%q", v.Name))
		}
	}
	if len(hostPaths) > 0 {
		found = append(found, fmt.Sprintf("hostPath volumes (volume %s)", strings.Join(hostPaths, ", ")))
	}
	if text := offenders(spec, "not set securityContext.privileged=true", func(c *corev1.Container) bool {
		p := security(c).Privileged
		return p != nil && *p
	}); text != "" {
		found = append(found, fmt.Sprintf("privileged (%s)", text))
	}
	return found
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
