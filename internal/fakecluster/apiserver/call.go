package apiserver

// Request is one API request as authorization and audit see it.
type Request struct {
	// User is the identity of the client.
	User string
	// Verb is get, list, watch, create, update, patch, delete or deletecollection.
	Verb string
	// Group is the API group, "" for the core group.
	Group string
	// Resource is the plural, with the subresource if there is one: "pods/log".
	Resource string
	// Namespace is "" for cluster-scoped resources and for all namespaces.
	Namespace string
	// Name is "" for create, list and watch without metadata.name.
	Name string
	// UserAgent is what the client calls itself.
	UserAgent string
}

// call is a request that has been resolved to a resource.
type call struct {
	user string
	verb string
	res  *resource
	sub  string
	ns   string
	name string
	// manager is who manages the fields that a write sets.
	manager string
	// own marks a write by the server as part of another request, which has been
	// admitted. It may change both spec and status.
	own bool
}

func (c call) request() Request {
	r := Request{User: c.user, Verb: c.verb, Group: c.res.gvr.Group, Resource: c.res.gvr.Resource, Namespace: c.ns, Name: c.name}
	if c.sub != "" {
		r.Resource += "/" + c.sub
	}
	return r
}
