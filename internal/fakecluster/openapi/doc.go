// Package openapi describes the resources of an API server in OpenAPI 3, as far as
// kubectl needs it: the paths with their kinds and parameters, and the schemas with the
// merge keys of their lists.
//
// The schemas are made from the Go types of k8s.io/api by reflection: names, descriptions
// and merge keys are in their tags and documentation. A custom resource without a schema
// is an object with any fields.
package openapi
