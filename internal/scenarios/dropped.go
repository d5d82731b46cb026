package scenarios

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
)

// droppedFields returns scenarios with a field that every API server drops without an
// error: an older one does not know it, and for a newer one its feature gate is off. The
// same becomes of successPolicy before 1.31 and of managedBy before 1.32.
func droppedFields() []*Scenario {
	o := podOf("true")
	o.Spec.SchedulingGroup = &corev1.PodSchedulingGroup{PodGroupName: new("none")}
	return []*Scenario{{
		Name: "field-dropped", Shows: "the API server drops a field of the pod that it does not know or that is off, and the step says so",
		Pod: o, Play: play(containers.Script{}), Want: podSucceeds(),
		After: func(_ context.Context, r *Run) error {
			got := r.Pod.Mutations()
			if len(got) != 1 || !strings.HasPrefix(got[0], "template.spec.schedulingGroup: unset -> ") {
				return fmt.Errorf("the mutations are %q, want the field that was dropped", got)
			}
			return nil
		},
	}}
}
