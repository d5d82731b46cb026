package cluster

import (
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/version"
)

// addition is a part of the configuration that older versions of Kubernetes reject.
type addition struct {
	since     uint // the first minor version that knows it
	component Component
	// name is a flag without its value, a controller, or a field of the kubelet's
	// configuration.
	name string
}

// additions has all that [Cluster] configures and not every version from 1.28 on knows. A
// component of an older version does without. What a version no longer knows would be
// listed in the same way.
var additions = []addition{
	{29, ControllerManager, "taint-eviction-controller"}, // node-lifecycle-controller did this
	{30, Kubelet, "podLogsDir"},                          // always /var/log/pods, which is the sandbox's own
	{31, Kubelet, "failCgroupV1"},                        // never failed
}

// knows reports whether the cluster's version has a flag, controller or field.
func (c *Cluster) knows(component Component, name string) bool {
	minor := version.MustParse(c.Version()).Minor()
	return !slices.ContainsFunc(additions, func(a addition) bool {
		return a.component == component && a.name == name && minor < a.since
	})
}

// known returns what of the flags, controllers or fields the cluster's version has.
func (c *Cluster) known(component Component, names []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		flag, _, _ := strings.Cut(name, "=")
		return !c.knows(component, flag)
	})
}

// knownFields removes the fields that the cluster's version does not have.
func (c *Cluster) knownFields(component Component, config map[string]any) {
	maps.DeleteFunc(config, func(name string, _ any) bool { return !c.knows(component, name) })
}
