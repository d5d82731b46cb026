package apiserver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// generateNameTries bounds the generated names that are tried if they are taken
// (RetryGenerateName, KEP-4420).
const generateNameTries = 8

// create stores a new object, which it may change. Like the API server, it checks in
// this order: system fields, namespace, admission, defaults, validation, quota, and then
// the name. So a 403 or 422 can hide a 409.
func (s *Server) create(ctx context.Context, c call, in object, opts metav1.CreateOptions) (*revision, error) {
	dryRun := len(opts.DryRun) > 0
	generated := in.GetName() == "" && in.GetGenerateName() != ""
	for try := 1; ; try++ {
		obj := in
		if generated {
			obj = clone(in) // for the next try
		}
		err := s.prepareCreate(ctx, &c, obj, dryRun)
		if err != nil {
			return nil, err
		}
		if dryRun {
			if err := s.tryQuota(c); err != nil {
				return nil, err
			}
			if old := s.load(c.res, c.ns, c.name); old != nil {
				return nil, alreadyExists(c, old)
			}
			return &revision{object: obj}, nil
		}
		stored, err := s.insert(c, obj, s.quotaCheck(c))
		if err != nil || stored != nil {
			return stored, err
		}
		if !generated || try == generateNameTries {
			return nil, alreadyExists(c, s.load(c.res, c.ns, c.name))
		}
	}
}

// prepareCreate makes the object ready to be stored and sets the call's name.
func (s *Server) prepareCreate(ctx context.Context, c *call, obj object, dryRun bool) error {
	if obj.GetResourceVersion() != "" {
		return internal("resourceVersion should not be set on objects to be created")
	}
	stripType(obj)
	if err := matchNamespace(c, obj); err != nil {
		return err
	}
	obj.SetDeletionTimestamp(nil)
	obj.SetDeletionGracePeriodSeconds(nil)
	obj.SetGeneration(0)
	obj.SetSelfLink("")
	obj.SetUID(s.ids.uid())
	obj.SetCreationTimestamp(now())
	if obj.GetName() == "" && obj.GetGenerateName() != "" {
		obj.SetName(s.ids.name(obj.GetGenerateName()))
	}
	c.name = obj.GetName()
	if err := s.checkNamespace(*c); err != nil {
		return err
	}
	if err := s.admit(ctx, *c, obj, nil, dryRun); err != nil {
		return err
	}
	st := &c.res.strategy
	if st.Generation {
		obj.SetGeneration(1)
	}
	st.SetDefaults(obj)
	st.PrepareForCreate(obj)
	if errs := st.Validate(obj, c.res.namespaced); len(errs) > 0 {
		return invalid(*c, errs)
	}
	if err := s.checkPodSecurity(*c, obj); err != nil {
		return err
	}
	return nil
}

// matchNamespace sets the object's namespace to that of the request, or returns an
// error if it has a different one.
func matchNamespace(c *call, obj object) error {
	if err := resolveNamespace(c, obj); err != nil {
		return err
	}
	obj.SetNamespace(c.ns)
	return nil
}

// resolveNamespace returns the namespace of the request, or else that of the object.
func resolveNamespace(c *call, obj object) error {
	if !c.res.namespaced {
		c.ns = ""
		return nil
	}
	if c.ns == "" {
		c.ns = obj.GetNamespace()
	}
	if c.ns == "" {
		return apierrors.NewBadRequest("the namespace of the object is required for a namespaced resource: " + c.res.gvr.Resource)
	}
	if ns := obj.GetNamespace(); ns != "" && ns != c.ns {
		return apierrors.NewBadRequest("the namespace of the provided object does not match the namespace sent on the request")
	}
	return nil
}

// checkNamespace is the NamespaceLifecycle admission plugin.
func (s *Server) checkNamespace(c call) error {
	if !c.res.namespaced {
		return nil
	}
	ns, _ := s.load(namespaces, "", c.ns).(*corev1.Namespace)
	switch {
	case ns == nil && s.opts.RequireNamespaces:
		return apierrors.NewNotFound(namespaces.groupResource(), c.ns)
	case ns != nil && (ns.DeletionTimestamp != nil || ns.Status.Phase == corev1.NamespaceTerminating):
		err := apierrors.NewForbidden(c.res.groupResource(), c.name,
			fmt.Errorf("unable to create new content in namespace %s because it is being terminated", c.ns))
		err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
			Type:    corev1.NamespaceTerminatingCause,
			Message: fmt.Sprintf("namespace %s is being terminated", c.ns),
			Field:   "metadata.namespace",
		})
		return err
	}
	return nil
}

// immortalNamespaces are those that cannot be deleted.
var immortalNamespaces = map[string]bool{"default": true, "kube-system": true, "kube-public": true}

// checkNamespaceDeletion is the part of NamespaceLifecycle for namespaces themselves.
func (s *Server) checkNamespaceDeletion(c call) error {
	if c.res == namespaces && s.opts.RequireNamespaces && immortalNamespaces[c.name] {
		return apierrors.NewForbidden(namespaces.groupResource(), c.name, errors.New("this namespace may not be deleted"))
	}
	return nil
}

// bootstrapNamespaces stores the namespaces that exist in every real cluster.
func (s *Server) bootstrapNamespaces(names ...string) {
	for _, name := range names {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, UID: s.ids.uid(), CreationTimestamp: now()}}
		namespaces.strategy.SetDefaults(ns)
		namespaces.strategy.PrepareForCreate(ns)
		if stored, err := s.insert(call{res: namespaces, verb: "create", name: name}, ns, nil); stored == nil || err != nil {
			panic("apiserver: bootstrap namespace " + name)
		}
	}
}

func alreadyExists(c call, stored object) error {
	err := apierrors.NewAlreadyExists(c.res.groupResource(), c.name)
	if stored != nil && stored.GetDeletionTimestamp() != nil {
		err.ErrStatus.Message = "object is being deleted: " + err.ErrStatus.Message
	}
	return err
}

// internal is a 500 without a reason: what the API server makes of a plain error.
func internal(message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusInternalServerError, Message: message,
	}}
}

// invalid returns a 422 that contains every error once, although several labels can
// have the same one.
func invalid(c call, errs field.ErrorList) error {
	seen := map[string]bool{}
	errs = slices.DeleteFunc(errs, func(e *field.Error) bool {
		known := seen[e.Error()]
		seen[e.Error()] = true
		return known
	})
	return apierrors.NewInvalid(c.res.gvk.GroupKind(), c.name, errs)
}

// uidMismatch has the storage layer's message for a failed precondition.
func uidMismatch(c call, asked, have types.UID) error {
	key := "/registry/" + c.res.gvr.Resource + "/" + c.ns + "/" + c.name
	return apierrors.NewConflict(c.res.groupResource(), c.name, fmt.Errorf(
		"StorageError: invalid object, Code: 4, Key: %s, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: %s, UID in object meta: %s",
		key, asked, have))
}

// stripType removes kind and apiVersion: typed clients do not see them. A custom resource
// keeps them.
func stripType(o object) {
	if _, custom := o.(*unstructured.Unstructured); !custom {
		o.GetObjectKind().SetGroupVersionKind(schema.GroupVersionKind{})
	}
}
