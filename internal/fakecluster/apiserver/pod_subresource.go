package apiserver

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// bindings is the resource name in conflicts of the binding subresource.
var bindings = schema.GroupResource{Resource: "pods/binding"}

// bind assigns a pod to a node and sets PodScheduled, in one write.
func (s *Server) bind(ctx context.Context, c call, b *corev1.Binding) error {
	if b.Target.Name == "" {
		return apierrors.NewBadRequest("target.name is required")
	}
	if err := s.admit(ctx, c, b, nil, false); err != nil {
		return err
	}
	c.own = true
	_, err := s.modify(ctx, c, false, func(cur object) (object, error) {
		pod := registry.As[*corev1.Pod](clone(cur))
		switch {
		case b.UID != "" && b.UID != pod.UID:
			return nil, uidMismatch(c, b.UID, pod.UID)
		case pod.DeletionTimestamp != nil:
			return nil, apierrors.NewConflict(bindings, c.name, fmt.Errorf("pod %s is being deleted, cannot be assigned to a host", pod.Name))
		case pod.Spec.NodeName != "":
			return nil, apierrors.NewConflict(bindings, c.name, fmt.Errorf("pod %s is already assigned to node %q", pod.Name, pod.Spec.NodeName))
		case len(pod.Spec.SchedulingGates) > 0:
			return nil, apierrors.NewConflict(bindings, c.name, fmt.Errorf("pod %s has non-empty .spec.schedulingGates", pod.Name))
		}
		pod.Spec.NodeName = b.Target.Name
		if len(b.Annotations) > 0 && pod.Annotations == nil {
			pod.Annotations = map[string]string{}
		}
		maps.Copy(pod.Annotations, b.Annotations)
		setPodCondition(pod, corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue})
		return pod, nil
	})
	return err
}

// evict sets the pod's condition DisruptionTarget and deletes the pod, as the Eviction
// API does. Disruption budgets are ignored; an admission function on pods/eviction can
// return 429 instead.
func (s *Server) evict(ctx context.Context, c call, in *policyv1.Eviction) error {
	opts := in.DeleteOptions
	if opts == nil {
		opts = &metav1.DeleteOptions{}
	}
	if s.load(c.res, c.ns, c.name) == nil {
		return apierrors.NewNotFound(c.res.groupResource(), c.name)
	}
	if err := s.admit(ctx, c, in, nil, len(opts.DryRun) > 0); err != nil {
		return err
	}
	c.own, opts = true, opts.DeepCopy()
	marked, err := s.modify(ctx, c, len(opts.DryRun) > 0, func(cur object) (object, error) {
		if err := checkPreconditions(c, cur, opts.Preconditions); err != nil {
			return nil, err
		}
		pod := registry.As[*corev1.Pod](clone(cur))
		setPodCondition(pod, corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue,
			Reason: "EvictionByEvictionAPI", Message: "Eviction API: evicting",
		})
		return pod, nil
	})
	if err != nil {
		return err
	}
	if p := opts.Preconditions; p != nil && p.ResourceVersion != nil {
		rv := marked.GetResourceVersion()
		p.ResourceVersion = &rv
	}
	_, _, err = s.delete(ctx, c, *opts)
	return err
}

// setPodCondition sets a condition; the transition time changes with the status only.
func setPodCondition(pod *corev1.Pod, cond corev1.PodCondition) {
	cond.LastTransitionTime = now()
	for i := range pod.Status.Conditions {
		old := &pod.Status.Conditions[i]
		if old.Type != cond.Type {
			continue
		}
		if old.Status == cond.Status {
			cond.LastTransitionTime = old.LastTransitionTime
		}
		*old = cond
		return
	}
	pod.Status.Conditions = append(pod.Status.Conditions, cond)
}
