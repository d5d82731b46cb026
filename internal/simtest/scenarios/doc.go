// Package scenarios plays the scenarios of internal/scenarios on the cluster in
// memory; test/e2e plays the same ones on a real Kubernetes.
//
// Containers are declared as shell commands and run as local processes; where a
// process cannot show what is meant, such as an image that cannot be pulled, a
// script is played. What was seen is compared with the record of the last run,
// and a worker must get by with the rights of deploy/rbac.yaml, each of which
// it must need.
package scenarios
