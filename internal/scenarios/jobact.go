package scenarios

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/util/retry"

	"github.com/kontinue/kontinue"
)

// onConflict calls do again as long as its write meets a newer version of the object.
func onConflict(do func() error) error { return retry.RetryOnConflict(retry.DefaultBackoff, do) }

// updateJob reads the Execution's Job, changes it and writes it back.
func (r *Run) updateJob(ctx context.Context, change func(job *batchv1.Job)) error {
	return onConflict(func() error {
		job, err := r.job(ctx)
		if err != nil {
			return err
		}
		change(job)
		_, err = r.Admin.BatchV1().Jobs(r.Namespace).Update(ctx, job, metav1.UpdateOptions{})
		return err
	})
}

// counts waits until the Job's status counts so many pods as active and ready.
func (r *Run) counts(ctx context.Context, active, ready int32) error {
	var last batchv1.JobStatus
	err := eventually(ctx, func(ctx context.Context) (bool, error) {
		job, err := r.job(ctx)
		if err != nil {
			return false, err
		}
		last = job.Status
		return last.Active == active && last.Ready != nil && *last.Ready == ready, nil
	})
	if err != nil {
		return fmt.Errorf("no status with %d active pods and %d ready ones, but %+v: %w", active, ready, last, err)
	}
	return nil
}

// stopped waits until the suspended Job has no pod that still stops.
func (r *Run) stopped(ctx context.Context) error {
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		job, err := r.job(ctx)
		if err != nil {
			return false, err
		}
		c, s := conditionOf(job, batchv1.JobSuspended), job.Status
		return c != nil && c.Status == corev1.ConditionTrue && s.Active == 0 && s.Terminating != nil && *s.Terminating == 0, nil
	})
}

// conditionOf returns a condition of a Job, or nil.
func conditionOf(job *batchv1.Job, kind batchv1.JobConditionType) *batchv1.JobCondition {
	i := slices.IndexFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &job.Status.Conditions[i]
}

// follow passes the events of a watch to last until it returns true.
func follow[T any](ctx context.Context, changes watch.Interface, last func(watch.EventType, T) bool) error {
	for {
		select {
		case e, open := <-changes.ResultChan():
			object, ok := e.Object.(T)
			switch {
			case !open:
				return errors.New("the watch has ended")
			case e.Type == watch.Bookmark:
			case !ok:
				return fmt.Errorf("the watch has shown %v", e)
			case last(e.Type, object):
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// newer reports whether an object has a later version.
func newer(o metav1.Object, than string) bool {
	a, err := strconv.ParseUint(o.GetResourceVersion(), 10, 64)
	b, err2 := strconv.ParseUint(than, 10, 64)
	return err == nil && err2 == nil && a > b
}

// without returns the list without an element.
func without(list []string, element string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == element })
}

// byCreation returns the pods of a result, the oldest first. Of those of the same second,
// the one that failed is older than its replacement.
func byCreation(results []*kontinue.PodResult) []*corev1.Pod {
	var list []*corev1.Pod
	for _, p := range results {
		list = append(list, p.Pod)
	}
	slices.SortStableFunc(list, func(a, b *corev1.Pod) int {
		return cmp.Or(a.CreationTimestamp.Compare(b.CreationTimestamp.Time), cmp.Compare(a.Status.Phase, b.Status.Phase))
	})
	return list
}

func equalLists(what string, have, want []string) error {
	if !slices.Equal(have, want) {
		return fmt.Errorf("%s: %v, want %v", what, have, want)
	}
	return nil
}
