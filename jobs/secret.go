package jobs

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/redact"
)

// EnsureSecret creates the Secret with the data of r that the Job of an acquired run owns,
// unless it exists, and returns when it was created, by the clock of the cluster. The
// pods of the Job wait for it. It is immutable and has the Job's labels, and the garbage
// collector deletes it with the Job. A run that has ended, and a request without data,
// need none: the time is then zero.
//
// A Secret of another owner is an [ErrNameConflict] and is not touched; that of a deleted
// Job of the same name is waited out. Errors are as for [Client.Acquire], and say nothing
// that the API server says in words of its own, since it may quote the data. The Job stays
// after an error, and its pods wait: a later call creates the Secret.
//
// A Job that was made for other data gets no Secret, so that no pod runs with contents
// that were not submitted with the rest of its spec; the time is then zero, too.
func (c *Client) EnsureSecret(ctx context.Context, r *Request, got Acquired) (created time.Time, _ error) {
	if len(r.SecretData) == 0 || got.Run.Recorded || got.Run.Terminal || got.Run.Deleting {
		return time.Time{}, nil
	}
	e := &secretCreation{c: c, run: got.Run, secret: r.secret(got.Run), look: got.Adopted}
	if got.Adopted {
		e.adopted = r
	}
	if err := c.retry(ctx, "create secret", c.creates, e.try); err != nil {
		return time.Time{}, fmt.Errorf("job %s/%s exists, and its pods wait for secret %s, which a resume creates: %w", e.secret.Namespace, got.Run.Name, e.secret.Name, err)
	}
	if e.live == nil {
		c.log.WarnContext(ctx, "secret not created: the job is gone, or it was made for other files and does not start",
			"namespace", e.secret.Namespace, "job", got.Run.Name, "secret", e.secret.Name)
		return time.Time{}, nil
	}
	return e.live.CreationTimestamp.Time, nil
}

// secret returns the Secret of a run's Job.
func (r *Request) secret(run Run) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: r.Execution.Namespace,
			Name:      identity.SecretName(run.Name),
			Labels:    r.merge(r.Labels),
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: "batch/v1", Kind: jobKind, Name: run.Name, UID: run.UID, Controller: new(true),
			}},
		},
		Immutable: new(true),
		Type:      corev1.SecretTypeOpaque,
		Data:      r.SecretData,
	}
}

const (
	jobKind = "Job"
	secrets = "secrets" // the resource
)

// secretCreation is the state of one EnsureSecret.
type secretCreation struct {
	c       *Client
	run     Run
	secret  *corev1.Secret
	adopted *Request // if the Job existed already: it may have been made for other data

	look    bool           // the next request is a get
	failure *APIError      // the error of the last create
	live    *corev1.Secret // that exists and is the Job's
}

// try is done when the Secret exists, or when it is known that it cannot be created.
func (e *secretCreation) try(ctx context.Context) (done bool, _ error) {
	if e.look {
		if done, err := e.find(ctx); done || err != nil {
			return done, err
		}
		if e.adopted != nil {
			if same, err := e.sameData(ctx); err != nil || !same {
				return !asAPIError(err).isTransient(), err
			}
			e.adopted = nil
		}
	}
	created, err := apicall.Bounded(ctx, func(ctx context.Context) (*corev1.Secret, error) {
		return e.c.clientset.CoreV1().Secrets(e.secret.Namespace).Create(ctx, e.secret, metav1.CreateOptions{})
	})
	if err == nil {
		e.live = created
		return true, nil
	}
	e.failure = secretError("create", e.secret, err)
	e.look = !apicall.Overloaded(err)
	if !e.look {
		return false, e.failure
	}
	return e.find(ctx)
}

// find looks for the Secret. If it does not exist, the error is that of the last create,
// and nil without one.
func (e *secretCreation) find(ctx context.Context) (done bool, _ error) {
	live, err := apicall.Bounded(ctx, func(ctx context.Context) (*corev1.Secret, error) {
		return e.c.clientset.CoreV1().Secrets(e.secret.Namespace).Get(ctx, e.secret.Name, metav1.GetOptions{})
	})
	failure := secretError("get", e.secret, err)
	switch {
	case err == nil:
		return e.check(live)
	case apierrors.IsNotFound(err) && e.failure == nil:
		return false, nil
	case apierrors.IsNotFound(err):
		failure, e.failure, e.look = e.failure, nil, false // the next try creates again
		return !failure.Transient() && !apierrors.IsAlreadyExists(failure), failure
	case e.failure != nil && !failure.Transient() && !e.failure.Transient() && !apierrors.IsAlreadyExists(e.failure):
		return true, e.failure
	case e.failure != nil:
		return !failure.Transient(), fmt.Errorf("%w; looked because of: %w", failure, e.failure)
	}
	return !failure.Transient(), failure
}

// check is done when the Secret is the Job's, or belongs to something else.
func (e *secretCreation) check(live *corev1.Secret) (done bool, _ error) {
	object := live.Namespace + "/" + live.Name
	owner := metav1.GetControllerOf(live)
	switch {
	case owner == nil:
		return true, fmt.Errorf("%w: secret %s has no controller owner: rename or delete it", ErrNameConflict, object)
	case owner.Kind != jobKind || owner.Name != e.run.Name:
		return true, fmt.Errorf("%w: secret %s is owned by %s %s: rename or delete it", ErrNameConflict, object, owner.Kind, owner.Name)
	case owner.UID != e.run.UID:
		return false, fmt.Errorf("secret %s is that of a deleted job (UID %s), and the garbage collector has not deleted it yet", object, owner.UID)
	case live.DeletionTimestamp != nil:
		return false, fmt.Errorf("secret %s is being deleted", object)
	}
	e.live = live
	return true, nil
}

// sameData reports whether the Job that was adopted refers to the keys of the data, which
// are digests of the contents.
func (e *secretCreation) sameData(ctx context.Context) (bool, error) {
	live, err := e.c.get(ctx, e.secret.Namespace, e.run.Name)
	switch {
	case err != nil && apierrors.IsNotFound(err):
		return false, nil // the wait finds out
	case err != nil:
		return false, err
	}
	for _, v := range live.Spec.Template.Spec.Volumes {
		if v.Name != e.adopted.SecretVolume || v.Secret == nil {
			continue
		}
		keys := map[string]bool{}
		for _, item := range v.Secret.Items {
			keys[item.Key] = true
		}
		return slices.Equal(slices.Sorted(maps.Keys(keys)), slices.Sorted(maps.Keys(e.secret.Data))), nil
	}
	return false, nil
}

// secretError returns an APIError without what the API server says, which may quote the
// data of the Secret.
func secretError(verb string, secret *corev1.Secret, err error) *APIError {
	return &APIError{Verb: verb, Resource: secrets, Namespace: secret.Namespace, Name: secret.Name, Err: redact.Refusal(err)}
}

// isTransient is Transient, and false for nil.
func (e *APIError) isTransient() bool { return e != nil && e.Transient() }
