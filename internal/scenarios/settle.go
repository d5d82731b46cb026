package scenarios

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/jobs"
)

// settleLimit is how long the Job of a step that has returned may take to get its
// condition: a container that was injected may hold its pod open.
const settleLimit = 2 * time.Minute

// settle waits until every Job has its condition, and holds the result, which a step
// returns when its containers have ended, against what the kubelet and the Job controller
// have made of them.
func (r *Run) settle(ctx context.Context) error {
	if r.Err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, settleLimit)
	defer cancel()
	err := eventually(ctx, func(ctx context.Context) (bool, error) {
		list, err := r.jobs(ctx)
		for i := range list {
			if !jobs.StatusOf(&list[i]).Terminal && list[i].DeletionTimestamp == nil {
				return false, err
			}
		}
		return true, err
	})
	if err != nil {
		return fmt.Errorf("a Job has no condition although the step has returned: %w", err)
	}
	if r.Pod == nil || r.Pod.Pod.Name == "" {
		return nil
	}
	pod, err := r.Admin.CoreV1().Pods(r.Namespace).Get(ctx, r.Pod.Pod.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err), err == nil && pod.UID != r.Pod.Pod.UID:
		return nil // the scenario has deleted it
	case err != nil:
		return err
	case final(r.Pod.Phase) && final(pod.Status.Phase) && r.Pod.Phase != pod.Status.Phase && r.Differs == "":
		return fmt.Errorf("the result has the phase %s, and the pod ended as %s", r.Pod.Phase, pod.Status.Phase)
	}
	return nil
}

func final(phase corev1.PodPhase) bool {
	return phase == corev1.PodSucceeded || phase == corev1.PodFailed
}
