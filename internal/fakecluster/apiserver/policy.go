package apiserver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Match selects requests. An empty field matches anything, except for User: empty
// means the server's default user, the program under test, and "*" all users.
type Match struct {
	User      string
	Verb      string
	Resource  string // "jobs", "pods/log"; "pods/*" is pods and its subresources
	Namespace string
	// AllNamespaces matches only requests that name no namespace: cluster-wide lists and
	// watches.
	AllNamespaces bool
	Name          string
}

func (m Match) matches(r Request, defaultUser string) bool {
	user := m.User
	if user == "" {
		user = defaultUser
	}
	return (user == "*" || user == r.User) &&
		(m.Verb == "" || m.Verb == "*" || m.Verb == r.Verb) &&
		m.matchesResource(r.Resource) &&
		(m.Namespace == "" || m.Namespace == r.Namespace) &&
		(!m.AllNamespaces || r.Namespace == "") &&
		(m.Name == "" || m.Name == r.Name)
}

func (m Match) matchesResource(resource string) bool {
	if m.Resource == "" || m.Resource == "*" || m.Resource == resource {
		return true
	}
	all, ok := strings.CutSuffix(m.Resource, "/*")
	base, _, _ := cutResource(resource)
	return ok && all == base
}

// rule denies the requests that it matches, like a missing RBAC rule.
type rule struct{ Match }

// Deny rejects the matching requests with the API server's RBAC message (403), and
// makes SelfSubjectAccessReviews deny them, until undo is called.
func (s *Server) Deny(m Match) (undo func()) {
	return add(s, &s.rules, &rule{m})
}

// authorize returns the 403 of the first rule that matches.
func (s *Server) authorize(r Request) error {
	s.policyMu.RLock()
	defer s.policyMu.RUnlock()
	for _, deny := range s.rules {
		if deny.matches(r, s.opts.User) {
			return forbidden(r)
		}
	}
	return nil
}

func forbidden(r Request) error {
	gr := schema.GroupResource{Group: r.Group, Resource: r.Resource}
	scope := "at the cluster scope"
	if r.Namespace != "" {
		scope = fmt.Sprintf("in the namespace %q", r.Namespace)
	}
	base, _, _ := cutResource(r.Resource)
	gr.Resource = base
	return apierrors.NewForbidden(gr, r.Name, fmt.Errorf("User %q cannot %s resource %q in API group %q %s",
		r.User, r.Verb, r.Resource, r.Group, scope))
}

// Attributes is what an admission function sees of a write.
type Attributes struct {
	Request
	// Object is the new state; a function may change it, as a mutating webhook does.
	// Defaults and validation come after. It is the Binding or Eviction for those
	// subresources, and nil for delete.
	Object runtime.Object
	// OldObject is the stored state, not to be changed; nil for create.
	OldObject runtime.Object
	// DryRun is set for requests with dryRun=All.
	DryRun bool
}

// AdmissionFunc admits or rejects a write. An error that is not an API status error is
// returned to the client as a 403.
type AdmissionFunc func(ctx context.Context, a *Attributes) error

// AddAdmission registers f for every create, update, patch and delete of every
// user, until undo is called. Functions run in the order they were added and
// without a lock held, on the goroutine of the request.
func (s *Server) AddAdmission(f AdmissionFunc) (undo func()) { return add(s, &s.admission, &f) }

// admit runs the admission functions.
func (s *Server) admit(ctx context.Context, c call, obj, old runtime.Object, dryRun bool) error {
	s.policyMu.RLock()
	functions := s.admission
	s.policyMu.RUnlock()
	if len(functions) == 0 || c.own {
		return nil
	}
	a := &Attributes{Request: c.request(), Object: obj, OldObject: old, DryRun: dryRun}
	for _, f := range functions {
		if err := (*f)(ctx, a); err != nil {
			if _, ok := err.(apierrors.APIStatus); ok {
				return err
			}
			return apierrors.NewForbidden(c.res.groupResource(), c.name, err)
		}
	}
	return nil
}

// AuditFunc is called before every response; err is the error that the client receives.
type AuditFunc func(r Request, err error)

// AddAudit registers f until undo is called. It must be quick and may be called
// from several goroutines at once.
func (s *Server) AddAudit(f AuditFunc) (undo func()) { return add(s, &s.audit, &f) }

func (s *Server) notifyAudit(r Request, err error) {
	s.policyMu.RLock()
	functions := s.audit
	s.policyMu.RUnlock()
	for _, f := range functions {
		(*f)(r, err)
	}
}

// add appends to one of the policy lists, which are replaced and never changed in
// place, and returns the function that takes the entry out again.
func add[T any](s *Server, list *[]*T, entry *T) (undo func()) {
	s.policyMu.Lock()
	defer s.policyMu.Unlock()
	*list = append(slices.Clone(*list), entry)
	return func() {
		s.policyMu.Lock()
		defer s.policyMu.Unlock()
		if i := slices.Index(*list, entry); i >= 0 {
			*list = slices.Delete(slices.Clone(*list), i, i+1)
		}
	}
}
