package apiserver

import (
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// podSecurityEvaluator has the checks of all versions of the Pod Security Standards.
var podSecurityEvaluator = sync.OnceValue(func() policy.Evaluator {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		panic("apiserver: Pod Security checks: " + err.Error())
	}
	return evaluator
})

// checkPodSecurity is the enforce mode of the PodSecurity admission plugin. It checks
// pods only: a Job with a forbidden template is accepted, and the Job controller
// cannot create its pods.
func (s *Server) checkPodSecurity(c call, o object) error {
	pod, ok := o.(*corev1.Pod)
	if !ok {
		return nil
	}
	ns, _ := s.load(namespaces, "", c.ns).(*corev1.Namespace)
	if ns == nil {
		return nil
	}
	none := psapi.LevelVersion{Level: psapi.LevelPrivileged, Version: psapi.LatestVersion()}
	// A label that cannot be parsed selects the strictest level, as documented.
	level, _ := psapi.PolicyToEvaluate(ns.Labels, psapi.Policy{Enforce: none, Audit: none, Warn: none})
	result := policy.AggregateCheckResults(podSecurityEvaluator().EvaluatePod(level.Enforce, &pod.ObjectMeta, &pod.Spec))
	if result.Allowed {
		return nil
	}
	return apierrors.NewForbidden(c.res.groupResource(), c.name,
		fmt.Errorf("violates PodSecurity %q: %s", level.Enforce.String(), result.ForbiddenDetail()))
}
