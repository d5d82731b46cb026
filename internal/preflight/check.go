package preflight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	// timeout bounds all reviews together: without an answer the worker finds out by its
	// requests, whose errors say more.
	timeout = 5 * time.Second
	// parallel is how many reviews are open at a time.
	parallel = 16
)

// ErrNotAuthorizing means that the server does not authorize requests, as a fake clientset.
var ErrNotAuthorizing = errors.New("the server denies the right to ask it, and has answered")

// Check asks for each right in each namespace, and returns those that are denied. No
// namespaces means all of them. The rights to list and watch are asked for in the whole
// cluster first if there are several namespaces; they are denied in none if it grants them
// there. With an error some answers are not known, and the denials are those that are.
func Check(ctx context.Context, client kubernetes.Interface, namespaces []string, rights []Right) ([]Denial, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	c := checker{client: client, slots: make(chan struct{}, parallel)}
	control := Right{Verb: "create", Group: "authorization.k8s.io", Resource: "selfsubjectaccessreviews"}
	if denied, err := c.ask(ctx, []question{{right: control}}); err != nil {
		return nil, err
	} else if len(denied) > 0 {
		return nil, ErrNotAuthorizing
	}
	wide, each := rights, []Right(nil)
	if len(namespaces) > 0 {
		wide, each = nil, rights
	}
	if len(namespaces) > 1 {
		for _, r := range rights {
			if r.watched() && !r.Optional() {
				wide = append(wide, r)
			}
		}
	}
	var questions []question
	for _, r := range wide {
		questions = append(questions, question{right: r})
	}
	denied, err := c.ask(ctx, questions)
	switch {
	case len(namespaces) == 0:
		return denied, err
	case err != nil:
		return nil, err
	}
	// A client that may not watch the whole cluster opens watches for each namespace.
	questions = nil
	for _, namespace := range namespaces {
		for _, r := range each {
			if granted := len(namespaces) > 1 && len(denied) == 0 && r.watched() && !r.Optional(); !granted {
				questions = append(questions, question{r, namespace})
			}
		}
	}
	return c.ask(ctx, questions)
}

// Split returns an error for the rights of all that a worker needs, or nil, and the denials
// of optional rights. The error names the user if the API server says who it is.
func Split(ctx context.Context, client kubernetes.Interface, all []Denial) (optional []Denial, _ error) {
	required, optional := split(all)
	if len(required) == 0 {
		return optional, nil
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	missing := &MissingError{Denials: required}
	review, err := client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err == nil {
		missing.User = review.Status.UserInfo.Username
	}
	return optional, missing
}

// question is a right in a namespace, or in all for "".
type question struct {
	right     Right
	namespace string
}

type checker struct {
	client kubernetes.Interface
	slots  chan struct{}
}

// ask returns the denials in the order of the questions, and the first error.
func (c *checker) ask(ctx context.Context, questions []question) (denials []Denial, err error) {
	allowed, errs := make([]bool, len(questions)), make([]error, len(questions))
	var wg sync.WaitGroup
	for i, q := range questions {
		c.slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-c.slots }()
			allowed[i], errs[i] = c.review(ctx, q)
		})
	}
	wg.Wait()
	for i, q := range questions {
		switch {
		case errs[i] != nil:
			err = cmp.Or(err, errs[i])
		case !allowed[i]:
			denials = append(denials, Denial{q.right, q.namespace})
		}
	}
	return denials, err
}

func (c *checker) review(ctx context.Context, q question) (bool, error) {
	resource, subresource, _ := strings.Cut(q.right.Resource, "/")
	review, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: q.namespace, Verb: q.right.Verb, Group: q.right.Group, Resource: resource, Subresource: subresource,
		}},
	}, metav1.CreateOptions{})
	switch {
	case err != nil:
		return false, fmt.Errorf("ask for the right to %s: %w", q.right, err)
	case !review.Status.Allowed && review.Status.EvaluationError != "":
		return false, fmt.Errorf("ask for the right to %s: %s", q.right, review.Status.EvaluationError)
	}
	return review.Status.Allowed, nil
}
