package apicall

import "k8s.io/apimachinery/pkg/types"

// UIDOf returns uid, or namespace/name if it is empty. API servers always set a UID, but
// client-go's fake clientset does not, and without a stand-in all Jobs of a user's unit
// test would be the same. UIDs of API servers contain no slash.
func UIDOf(uid types.UID, namespace, name string) types.UID {
	if uid == "" {
		return types.UID(namespace + "/" + name)
	}
	return uid
}

// MissingUID reports whether uid, as the caller knows it, stands for a missing one: it is
// empty or the stand-in of [UIDOf]. It must not be sent to the API server, where it would
// become the object's UID.
func MissingUID(namespace, name string, uid types.UID) bool {
	return uid == "" || uid == UIDOf("", namespace, name)
}

// SameUID reports whether live, the UID of the object that was read, equals uid, as the
// caller knows it. A missing one equals its stand-in.
func SameUID(live, uid types.UID, namespace, name string) bool {
	return live == uid || live == "" && MissingUID(namespace, name, uid)
}
