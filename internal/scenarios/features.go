package scenarios

import (
	"fmt"

	"k8s.io/apimachinery/pkg/util/version"
)

// Capabilities that Kubernetes itself has since a minor version, by default. The result of
// a scenario without them means nothing, so it is not applicable to an older version.
const (
	// SuccessPolicy is the successPolicy of a Job (KEP-3998).
	SuccessPolicy Capability = "successPolicy"
	// ManagedBy is the managedBy of a Job (KEP-4368): the Job controller leaves the Job
	// alone.
	ManagedBy Capability = "managedBy"
	// RestartRules means that a container has a restart policy and rules of its own
	// (KEP-5307).
	RestartRules Capability = "restart rules of containers"
	// RestartAll means that such a rule can restart all containers of the pod (KEP-5532).
	RestartAll Capability = "RestartAllContainers"
	// SuspendedResources means that the resources of a suspended Job can be changed
	// (KEP-5440).
	SuspendedResources Capability = "mutable resources of suspended Jobs"
)

// since maps the capabilities of Kubernetes to the first minor version 1.x that has them
// without a feature gate.
var since = map[Capability]uint{
	SuccessPolicy:      31,
	ManagedBy:          32,
	RestartRules:       35,
	RestartAll:         36,
	SuspendedResources: 36,
	Injection:          36, // by a MutatingAdmissionPolicy
}

// Lacks returns why the scenario is not run on the backend, or "" if it is.
func (s *Scenario) Lacks(backend Backend) (string, error) {
	v, err := version.ParseGeneric(backend.Version())
	if err != nil {
		return "", fmt.Errorf("version of backend %s: %w", backend.Name(), err)
	}
	for _, need := range s.Needs {
		if minor := since[need]; v.Minor() < minor {
			return fmt.Sprintf("needs %s, since 1.%d", need, minor), nil
		}
	}
	for _, need := range s.Needs {
		if reason := backend.Lacks(need); reason != "" {
			return string(need) + ": " + reason, nil
		}
	}
	return "", nil
}
