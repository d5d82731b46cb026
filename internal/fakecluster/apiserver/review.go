package apiserver

import (
	"context"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// reviews are the kinds of questions about the user of the request, which are answered
// and not stored.
var reviews = map[schema.GroupVersionKind]func(*Server, *exchange) (object, error){
	authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectAccessReview"): (*Server).reviewAccess,
	authorizationv1.SchemeGroupVersion.WithKind("SelfSubjectRulesReview"):  (*Server).reviewRules,
	authenticationv1.SchemeGroupVersion.WithKind("SelfSubjectReview"):      (*Server).reviewUser,
}

// postReview is POST of one of the reviews.
func postReview(_ context.Context, x *exchange) (*response, error) {
	out, err := reviews[x.call.res.gvk](x.s, x)
	if err != nil {
		return nil, err
	}
	stripType(out)
	return x.one(http.StatusCreated, &revision{object: out}, nil)
}

// reviewAccess answers from the deny rules.
func (s *Server) reviewAccess(x *exchange) (object, error) {
	var out authorizationv1.SelfSubjectAccessReview
	if err := x.decode(x.call.res.gvk, &out); err != nil {
		return nil, err
	}
	out.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: true, Reason: "no deny rule matches"}
	if a := out.Spec.ResourceAttributes; a != nil {
		r := Request{User: x.call.user, Verb: a.Verb, Group: a.Group, Resource: a.Resource, Namespace: a.Namespace, Name: a.Name}
		if a.Subresource != "" {
			r.Resource += "/" + a.Subresource
		}
		if s.authorize(r) != nil {
			out.Status = authorizationv1.SubjectAccessReviewStatus{Allowed: false}
		}
	}
	return &out, nil
}

// reviewRules answers that everything is allowed, and that this is not the whole truth if
// there are deny rules, which cannot be said here.
func (s *Server) reviewRules(x *exchange) (object, error) {
	var out authorizationv1.SelfSubjectRulesReview
	if err := x.decode(x.call.res.gvk, &out); err != nil {
		return nil, err
	}
	every := []string{"*"}
	out.Status = authorizationv1.SubjectRulesReviewStatus{
		ResourceRules:    []authorizationv1.ResourceRule{{Verbs: every, APIGroups: every, Resources: every}},
		NonResourceRules: []authorizationv1.NonResourceRule{{Verbs: every, NonResourceURLs: every}},
	}
	s.policyMu.RLock()
	defer s.policyMu.RUnlock()
	out.Status.Incomplete = len(s.rules) > 0
	return &out, nil
}

// reviewUser answers who the user is.
func (s *Server) reviewUser(x *exchange) (object, error) {
	var out authenticationv1.SelfSubjectReview
	if err := x.decode(x.call.res.gvk, &out); err != nil {
		return nil, err
	}
	out.Status.UserInfo = authenticationv1.UserInfo{Username: x.call.user, Groups: []string{"system:authenticated"}}
	return &out, nil
}
