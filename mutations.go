package kontinue

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kontinue/kontinue/pods"
)

// mutations adds the containers that the cluster has injected into pods, each once.
func mutations(changes []string, outcomes ...pods.Outcome) []string {
	changes = slices.Clone(changes)
	for _, o := range outcomes {
		for _, c := range o.Containers {
			list := "initContainers"
			if c.Kind == pods.KindMain {
				list = "containers"
			}
			path := fmt.Sprintf("spec.%s[%s]: ", list, c.Name)
			known := func(change string) bool { return strings.Contains(change, path) }
			if c.Injected && !slices.ContainsFunc(changes, known) {
				changes = append(changes, "pod."+path+"set -> unset (added by the cluster)")
			}
		}
	}
	return changes
}
