package controller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// syncJob syncs one Job: it creates or deletes pods, and then writes the status in two
// halves, facts.settle and facts.finish.
func (m *Manager) syncJob(ctx context.Context, uid types.UID) error {
	job, ok := m.cache.Jobs.Get(uid)
	if !ok || !managed(job) {
		return nil
	}
	if finished(job) {
		m.forget(uid)
		return nil
	}
	pods, err := m.claim(ctx, job)
	if err != nil {
		return err
	}
	f := m.look(job, pods)
	verdict := f.judge()
	// Everything below edits f.job.Status; what is stored so far is compared
	// with it to write only changes.
	status := &f.job.Status
	if status.StartTime == nil && !f.suspended() {
		now := seconds(f.now)
		status.StartTime = &now
	}
	active := int32(len(f.active))
	var problem error
	switch {
	case verdict.decided():
		deleted, err := m.deletePods(ctx, f.active, false)
		active -= deleted.pods
		f.terminating += deleted.pods
		f.ready -= deleted.ready
		if problem = err; err != nil {
			// Not while a pod that is to be deleted still exists.
			verdict = undecided
		}
	case f.job.DeletionTimestamp != nil:
		verdict = f.completed(active)
	default:
		active, problem = m.rescale(ctx, f)
		if verdict = f.completed(active); !verdict.decided() {
			if event := f.suspendState(); event != "" {
				m.events.normalEvent(ctx, job, event, "Job "+strings.ToLower(event))
			}
		}
	}
	status.Active, status.Ready, status.Terminating = active, &f.ready, &f.terminating
	m.scheduleDeadline(f)
	if err := m.account(ctx, job, f, verdict); err != nil {
		return errors.Join(problem, err)
	}
	return problem
}

// withOwnStatus copies the Job's status and shares the rest, which is not
// written to.
func withOwnStatus(job *batchv1.Job) *batchv1.Job {
	shared := *job
	job.Status.DeepCopyInto(&shared.Status)
	return &shared
}

func (m *Manager) look(job *batchv1.Job, pods []*corev1.Pod) *facts {
	m.mu.Lock()
	known := m.backoffs[job.UID]
	m.mu.Unlock()
	f := &facts{
		job:     withOwnStatus(job),
		pods:    pods,
		now:     time.Now(),
		backoff: known,
		base:    m.opts.PodBackoff,
		limit:   m.opts.PodBackoffMax,
	}
	f.gather()
	return f
}

// account stores the first half of the accounting, removes finalizers, and
// stores the second half.
func (m *Manager) account(ctx context.Context, old *batchv1.Job, f *facts, v verdict) error {
	release, cut := f.settle(v)
	stored := &old.Status
	if !equality.Semantic.DeepEqual(stored, &f.job.Status) {
		if ok, err := m.writeStatus(ctx, f); !ok {
			return err
		}
		m.remember(f)
		stored = f.job.Status.DeepCopy()
	}
	released, err := m.releasePods(ctx, release)
	done := f.finish(v, released, cut || err != nil)
	if !equality.Semantic.DeepEqual(stored, &f.job.Status) {
		if ok, werr := m.writeStatus(ctx, f); !ok {
			return errors.Join(err, werr)
		}
	}
	if done {
		m.forget(f.job.UID)
		m.announce(ctx, f.job, v)
	}
	return err
}

func (m *Manager) announce(ctx context.Context, job *batchv1.Job, v verdict) {
	if v.success() {
		m.events.normalEvent(ctx, job, "Completed", "Job completed")
		return
	}
	m.events.warning(ctx, job, v.reason, v.message)
}

// writeStatus stores the status. It returns false when that did not happen:
// with an error to retry, or without one when the Job is gone or has changed
// under the write, in which case it is synced again.
func (m *Manager) writeStatus(ctx context.Context, f *facts) (bool, error) {
	job := f.job
	updated, err := m.client.BatchV1().Jobs(job.Namespace).UpdateStatus(ctx, job, metav1.UpdateOptions{})
	if err == nil {
		m.cache.Jobs.Put(updated)
		f.job = withOwnStatus(updated)
		return true, nil
	}
	if apierrors.IsConflict(err) {
		var fresh *batchv1.Job
		if fresh, err = m.client.BatchV1().Jobs(job.Namespace).Get(ctx, job.Name, metav1.GetOptions{}); err == nil {
			m.cache.Jobs.Put(fresh)
			m.jobs.AddAfter(fresh.UID, m.opts.SyncBatch)
			return false, nil
		}
	}
	if apierrors.IsNotFound(err) {
		return false, nil // deleted meanwhile: its watch event is on the way
	}
	return false, fmt.Errorf("writing the status of Job %s/%s: %w", job.Namespace, job.Name, err)
}

// remember keeps the back-off record once the failures it counts are stored.
func (m *Manager) remember(f *facts) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.backoffs[f.job.UID] = f.backoff
}

// scheduleDeadline schedules a sync for when activeDeadlineSeconds has passed.
func (m *Manager) scheduleDeadline(f *facts) {
	left, set := f.deadline()
	if set && left > 0 {
		m.jobs.AddAfter(f.job.UID, left)
	}
}
