package registry

import (
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apivalidation "k8s.io/apimachinery/pkg/api/validation"
	"k8s.io/utils/ptr"
)

// podStrategy follows pkg/registry/core/pod and pkg/apis/core of Kubernetes 1.37.
var podStrategy = Strategy{
	Generation: true,
	name:       apivalidation.NameIsDNSSubdomain,
	defaults:   func(o Object) { defaultPod(As[*corev1.Pod](o)) },
	create: func(o Object) {
		pod := As[*corev1.Pod](o)
		dropDisabled(&pod.Spec)
		pod.Status = corev1.PodStatus{Phase: corev1.PodPending, QOSClass: qosClass(&pod.Spec)}
	},
	update:         keepPod,
	validate:       validatePodCreate,
	validateUpdate: validatePodUpdate,
	warnOnCreate:   warnOfName("this is used in the Pod's hostname"),
	// Compare first what changes most often. A binding changes the spec but not the
	// generation, so compare the node, too.
	equal: func(o, c Object) bool {
		pod, cur := As[*corev1.Pod](o), As[*corev1.Pod](c)
		return pod.Generation == cur.Generation && pod.Spec.NodeName == cur.Spec.NodeName &&
			apiequality.Semantic.DeepEqual(pod.Status, cur.Status) &&
			apiequality.Semantic.DeepEqual(pod.ObjectMeta, cur.ObjectMeta)
	},
}

// dropDisabled removes the field of a feature that is off by default (GenericWorkload), as
// DropDisabledPodFields does.
func dropDisabled(spec *corev1.PodSpec) { spec.SchedulingGroup = nil }

// defaultPod defaults what a Pod has and a pod template does not.
func defaultPod(pod *corev1.Pod) {
	defaultPodSpec(&pod.Spec)
	if pod.Spec.EnableServiceLinks == nil {
		pod.Spec.EnableServiceLinks = ptr.To(corev1.DefaultEnableServiceLinks)
	}
	if pod.Spec.ServiceAccountName == "" {
		// The ServiceAccount admission plugin does this.
		pod.Spec.ServiceAccountName = "default"
		pod.Spec.DeprecatedServiceAccount = "default"
	}
	if pod.Spec.Priority == nil {
		// The Priority admission plugin does this.
		pod.Spec.Priority = ptr.To[int32](0)
		pod.Spec.PreemptionPolicy = ptr.To(corev1.PreemptLowerPriority)
	}
	EachContainer(&pod.Spec, func(c *corev1.Container) {
		for name, quantity := range c.Resources.Limits {
			if _, ok := c.Resources.Requests[name]; !ok {
				if c.Resources.Requests == nil {
					c.Resources.Requests = corev1.ResourceList{}
				}
				c.Resources.Requests[name] = quantity.DeepCopy()
			}
		}
	})
	switch ip, ips := pod.Status.PodIP, pod.Status.PodIPs; {
	case ip == "" && len(ips) > 0:
		pod.Status.PodIP = ips[0].IP
	case ip != "" && (len(ips) == 0 || ips[0].IP != ip):
		pod.Status.PodIPs = []corev1.PodIP{{IP: ip}}
	}
}

func defaultPodSpec(spec *corev1.PodSpec) {
	if spec.ServiceAccountName == "" {
		spec.ServiceAccountName = spec.DeprecatedServiceAccount
	}
	spec.DeprecatedServiceAccount = spec.ServiceAccountName
	if spec.DNSPolicy == "" {
		spec.DNSPolicy = corev1.DNSClusterFirst
	}
	if spec.RestartPolicy == "" {
		spec.RestartPolicy = corev1.RestartPolicyAlways
	}
	if spec.SecurityContext == nil {
		spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	if spec.TerminationGracePeriodSeconds == nil {
		spec.TerminationGracePeriodSeconds = ptr.To[int64](corev1.DefaultTerminationGracePeriodSeconds)
	}
	if spec.SchedulerName == "" {
		spec.SchedulerName = corev1.DefaultSchedulerName
	}
	EachContainer(spec, defaultContainer)
	for i := range spec.Volumes {
		defaultVolume(&spec.Volumes[i])
	}
}

func defaultContainer(c *corev1.Container) {
	if c.TerminationMessagePath == "" {
		c.TerminationMessagePath = corev1.TerminationMessagePathDefault
	}
	if c.TerminationMessagePolicy == "" {
		c.TerminationMessagePolicy = corev1.TerminationMessageReadFile
	}
	if c.ImagePullPolicy == "" {
		c.ImagePullPolicy = corev1.PullIfNotPresent
		if latestTag(c.Image) {
			c.ImagePullPolicy = corev1.PullAlways
		}
	}
	for i := range c.Env {
		if from := c.Env[i].ValueFrom; from != nil && from.FieldRef != nil && from.FieldRef.APIVersion == "" {
			from.FieldRef.APIVersion = "v1"
		}
	}
	for i := range c.Ports {
		if c.Ports[i].Protocol == "" {
			c.Ports[i].Protocol = corev1.ProtocolTCP
		}
	}
}

func defaultVolume(v *corev1.Volume) {
	const mode int32 = 0o644
	switch {
	case v.Secret != nil && v.Secret.DefaultMode == nil:
		v.Secret.DefaultMode = ptr.To(mode)
	case v.ConfigMap != nil && v.ConfigMap.DefaultMode == nil:
		v.ConfigMap.DefaultMode = ptr.To(mode)
	case v.Projected != nil && v.Projected.DefaultMode == nil:
		v.Projected.DefaultMode = ptr.To(mode)
	case v.DownwardAPI != nil && v.DownwardAPI.DefaultMode == nil:
		v.DownwardAPI.DefaultMode = ptr.To(mode)
	case v.VolumeSource == (corev1.VolumeSource{}):
		v.EmptyDir = &corev1.EmptyDirVolumeSource{}
	}
}

// latestTag reports whether the image reference has no digest and the tag latest, or none.
func latestTag(image string) bool {
	for i := len(image) - 1; i >= 0; i-- {
		switch image[i] {
		case '@':
			return false
		case ':':
			tag := image[i+1:]
			for j := range i {
				if image[j] == '@' {
					return false
				}
			}
			return tag == "latest"
		case '/':
			return true
		}
	}
	return true
}

// EachContainer visits init containers and containers.
func EachContainer(spec *corev1.PodSpec, f func(*corev1.Container)) {
	for i := range spec.InitContainers {
		f(&spec.InitContainers[i])
	}
	for i := range spec.Containers {
		f(&spec.Containers[i])
	}
}

func keepPod(o, c Object, sub string) {
	pod, cur := As[*corev1.Pod](o), As[*corev1.Pod](c)
	if sub == "status" {
		pod.Spec = cur.Spec
		pod.DeletionTimestamp = nil
		pod.OwnerReferences = cur.OwnerReferences
		if pod.Status.QOSClass == "" {
			pod.Status.QOSClass = cur.Status.QOSClass
		}
		return
	}
	pod.Status = cur.Status
	if !apiequality.Semantic.DeepEqual(pod.Spec, cur.Spec) {
		pod.Generation = cur.Generation + 1
	}
}

// qosClass computes status.qosClass, which the API server sets once.
func qosClass(spec *corev1.PodSpec) corev1.PodQOSClass {
	some, guaranteed := false, true
	EachContainer(spec, func(c *corev1.Container) {
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			request, limit := c.Resources.Requests[name], c.Resources.Limits[name]
			some = some || !request.IsZero() || !limit.IsZero()
			if limit.IsZero() || request.Cmp(limit) != 0 {
				guaranteed = false
			}
		}
	})
	switch {
	case !some:
		return corev1.PodQOSBestEffort
	case guaranteed:
		return corev1.PodQOSGuaranteed
	default:
		return corev1.PodQOSBurstable
	}
}
