package step

import "github.com/kontinue/kontinue/pods"

// markInjected notes which containers the cluster has added to those that were submitted.
// Where a pod has none of the latter it was made from another spec, and nothing is known.
func (o *Outcome) markInjected(submitted []string) {
	names := make(map[string]bool, len(submitted))
	for _, name := range submitted {
		names[name] = true
	}
	for i := range o.Pods {
		main, injected := 0, 0
		for _, c := range o.Pods[i].Containers {
			if names[c.Name] && c.Kind == pods.KindMain {
				main++
			}
			if c.Injected {
				injected++
			}
		}
		if main == 0 || injected > 0 {
			continue
		}
		containers := o.Pods[i].Containers
		for j := range containers {
			containers[j].Injected = !names[containers[j].Name]
		}
	}
}
