package starts

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// The keys of [Limits] that are no reasons of Kubernetes, or stand for several.
const (
	keyNoPod     = "FailedCreate"
	keyUnbound   = string(corev1.PodReasonUnschedulable)
	keyGated     = corev1.PodReasonSchedulingGated
	keyImage     = "ErrImagePull"
	keyCreate    = "CreateContainerError"
	keyPreparing = "ContainerCreating"
	keyLost      = "NodeLost"
)

// Limits are how long a Job may take until its containers have started, by the
// reason why they have not. Its keys are those of [DefaultLimits]; a key that is
// missing has the default, and zero means no limit.
type Limits map[string]time.Duration

// DefaultLimits returns the limits that apply by default. A registry answers 429 and
// 5xx at times, a Secret may be created after its pod, and an autoscaler needs minutes for
// a node; a wrong name of an image never heals. The reasons are those of the kubelet
// (pkg/kubelet/images/types.go, pkg/kubelet/container/sync_result.go) and the scheduler.
func DefaultLimits() Limits {
	return Limits{
		// The Job has no pod: it is refused by a quota, by Pod Security, by a webhook or for
		// its ServiceAccount, or the Job controller is not running.
		keyNoPod: 10 * time.Minute,
		// The pod is not bound to a node.
		keyUnbound: 15 * time.Minute,
		// The pod has scheduling gates: a queue has not admitted it.
		keyGated: 0,
		// The image cannot be pulled: also ImagePullBackOff, RegistryUnavailable,
		// ImageInspectError and SignatureValidationFailed.
		keyImage: 5 * time.Minute,
		// These do not heal.
		"InvalidImageName":  time.Second,
		"ErrImageNeverPull": time.Second,
		// A Secret or ConfigMap that a variable refers to is missing.
		"CreateContainerConfigError": 5 * time.Minute,
		// The runtime cannot create or start the container: all other reasons of a
		// container that is waiting.
		keyCreate: 5 * time.Minute,
		// Nothing is reported: an image is being pulled, a volume mounted or a sandbox
		// created, or the kubelet is not running.
		keyPreparing: 20 * time.Minute,
		// The pod is being deleted and has not stopped when its grace period was over, as
		// on a node that has died.
		keyLost: 10 * time.Minute,
	}
}

// Validate returns an error that names each unknown key and each negative limit.
func (l Limits) Validate() error {
	known := DefaultLimits()
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(l)) {
		if _, ok := known[key]; !ok {
			errs = append(errs, fmt.Errorf("StartLimits has no reason %q: use one of %s", key, strings.Join(slices.Sorted(maps.Keys(known)), ", ")))
		} else if l[key] < 0 {
			errs = append(errs, fmt.Errorf("StartLimits[%q] is negative: 0 means no limit", key))
		}
	}
	return errors.Join(errs...)
}

// With returns the limits with those of others in place of their own.
func (l Limits) With(others Limits) Limits {
	if len(others) == 0 {
		return l
	}
	all := maps.Clone(l)
	maps.Copy(all, others)
	return all
}
