package apicall

import "k8s.io/apimachinery/pkg/types"

// UIDOf returns uid, or namespace/name where it is missing. No API server leaves a
// UID out, but client-go's fake clientset does, and without a stand-in all Jobs of a
// user's unit test would be one. No API server's UID has a slash.
func UIDOf(uid types.UID, namespace, name string) types.UID {
	if uid == "" {
		return types.UID(namespace + "/" + name)
	}
	return uid
}

// MissingUID reports whether uid, as the caller knows it, stands for an object that
// had none: it is empty or the stand-in of [UIDOf]. It must not be sent to the API
// server, where it would become the object's.
func MissingUID(namespace, name string, uid types.UID) bool {
	return uid == "" || uid == UIDOf("", namespace, name)
}

// SameUID reports whether live, the UID of the object as it was read, is uid, as the
// caller knows it. A missing one is the same as its stand-in.
func SameUID(live, uid types.UID, namespace, name string) bool {
	return live == uid || live == "" && MissingUID(namespace, name, uid)
}
