package apiserver

import (
	"fmt"
	"sort"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kontinue/kontinue/internal/fakecluster/registry"
)

// quotaCheck returns the ResourceQuota admission of a create. It runs together with the
// insertion, so that two creates cannot both use the last of the quota. It supports
// object counts only: count/<resource>.<group>, pods, and the old names of core types.
func (s *Server) quotaCheck(c call) func() error {
	if !c.res.namespaced || c.res == resourceQuotas {
		return nil
	}
	return func() error {
		t := s.tables[resourceQuotas.gvr]
		if t == nil || len(t.spaces[c.ns]) == 0 {
			return nil
		}
		for _, o := range t.collect(c.ns, nil) {
			if err := s.overQuota(c, registry.As[*corev1.ResourceQuota](o.object)); err != nil {
				return err
			}
		}
		return nil
	}
}

// tryQuota is quotaCheck for a dry run, which uses no quota.
func (s *Server) tryQuota(c call) error {
	check := s.quotaCheck(c)
	if check == nil {
		return nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return check()
}

func (s *Server) overQuota(c call, quota *corev1.ResourceQuota) error {
	var asked, used, limited []string
	for name, hard := range quota.Spec.Hard {
		n, counted := s.countFor(c, string(name))
		if !counted || int64(n)+1 <= hard.Value() {
			continue
		}
		asked = append(asked, fmt.Sprintf("%s=1", name))
		used = append(used, fmt.Sprintf("%s=%d", name, n))
		limited = append(limited, fmt.Sprintf("%s=%s", name, hard.String()))
	}
	if len(asked) == 0 {
		return nil
	}
	sort.Strings(asked)
	sort.Strings(used)
	sort.Strings(limited)
	return apierrors.NewForbidden(c.res.groupResource(), c.name, fmt.Errorf("exceeded quota: %s, requested: %s, used: %s, limited: %s",
		quota.Name, strings.Join(asked, ","), strings.Join(used, ","), strings.Join(limited, ",")))
}

// countFor returns how much of a quota'd resource is used in the namespace, if a new
// object of the call's type would use it too.
func (s *Server) countFor(c call, name string) (used int, counted bool) {
	var space map[string]*revision
	if t := s.tables[c.res.gvr]; t != nil {
		space = t.spaces[c.ns]
	}
	resource := c.res.gvr.Resource
	object := "count/" + resource
	if c.res.gvr.Group != "" {
		object += "." + c.res.gvr.Group
	}
	switch {
	case name == "pods" && c.res == pods:
		// Unlike count/pods, this leaves out pods that have ended.
		for _, o := range space {
			if !terminal(registry.As[*corev1.Pod](o.object)) {
				used++
			}
		}
		return used, true
	case name == object, name == resource && c.res.gvr.Group == "":
		return len(space), true
	}
	return 0, false
}
