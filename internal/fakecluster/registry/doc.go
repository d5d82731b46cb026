// Package registry has the behavior of the API server that depends on the type: the
// defaults, the rules of creation and update, and the validation of Jobs, pods and
// namespaces.
//
// It follows the packages of the same role in Kubernetes 1.37: pkg/registry,
// pkg/apis/batch and pkg/apis/core. A Strategy has the methods of a
// rest.RESTCreateStrategy and a rest.RESTUpdateStrategy. Everything here is a pure
// function of the objects: no clock, no store, no requests.
//
// TestTranscript of package apiserver compares the error messages with those
// recorded from a real API server.
package registry
