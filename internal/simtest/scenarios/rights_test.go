package scenarios_test

import (
	"context"
	"testing"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
	"github.com/kontinue/kontinue/internal/scenarios"
)

// Worker denies everything that the Role does not grant.
func (c *memoryCluster) Worker(_ context.Context, namespace string, without *scenarios.Right) (kontinue.Config, error) {
	c.deny(without)
	return kontinue.Config{RESTConfig: c.Config(), Namespace: namespace}, nil
}

// WorkerOf denies cluster-wide requests as well, unless the rights are those of a
// ClusterRole.
func (c *memoryCluster) WorkerOf(_ context.Context, _ *testing.T, namespaces []string, everywhere bool, missing *scenarios.Right) (kontinue.Config, error) {
	c.deny(nil)
	if !everywhere {
		for _, resource := range []string{"jobs", "pods"} {
			c.APIServer().Deny(apiserver.Match{Resource: resource, AllNamespaces: true})
		}
	}
	if missing != nil {
		c.APIServer().Deny(apiserver.Match{Verb: missing.Verb, Resource: missing.Resource, Namespace: namespaces[len(namespaces)-1]})
	}
	return kontinue.Config{RESTConfig: c.Config()}, nil
}

// deny leaves the rights of the Role, without one of them if it is not nil.
func (c *memoryCluster) deny(without *scenarios.Right) {
	granted := map[scenarios.Right]bool{}
	for _, right := range scenarios.Rights(c.role) {
		granted[right] = without == nil || right != *without
	}
	for group, resources := range map[string][]string{
		"":               {"pods", "pods/log", "pods/status", "pods/eviction", "events", "secrets", "configmaps", "namespaces", "nodes", "serviceaccounts"},
		"batch":          {"jobs", "jobs/status"},
		"kueue.x-k8s.io": {"workloads"},
	} {
		for _, resource := range resources {
			for _, verb := range []string{"get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"} {
				if !granted[scenarios.Right{Group: group, Resource: resource, Verb: verb}] {
					c.APIServer().Deny(apiserver.Match{Verb: verb, Resource: resource})
				}
			}
		}
	}
}
