// Package events reads what the cluster has said about one object, from its Events.
//
// Some problems stand nowhere else: a Job whose pods are refused has no pod to look at,
// and a pod that waits for a volume only says ContainerCreating. Events are many, they
// are not indexed by the object that they are about, and each request makes the API server
// scan those of the whole namespace. So they are read for one object, when there is a
// reason to, and a few times a second at most, whatever the number of callers. The right to
// list them is optional.
//
// [Writer] writes Events about the owners of steps. That right is optional too.
package events
