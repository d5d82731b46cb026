package podtemplate

import corev1 "k8s.io/api/core/v1"

// restrictedUser is the user of RestrictedPodTemplate: "nonroot" of the distroless images.
const restrictedUser = 65532

// Restricted returns a base with which the pods of a step pass the Pod Security Standard
// "restricted", unless the step sets something else.
func Restricted() *corev1.PodTemplateSpec {
	return &corev1.PodTemplateSpec{Spec: corev1.PodSpec{
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot:   new(true),
			RunAsUser:      new(int64(restrictedUser)),
			RunAsGroup:     new(int64(restrictedUser)),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		Containers: []corev1.Container{{
			Name: DefaultContainer,
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: new(false),
				Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}}
}
