package kontinue

import (
	"time"

	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/pods"
)

// Times are when a Job or a pod reached each stage, in UTC, by the clocks of the cluster:
// those of its control plane for Created and Scheduled, of the node for Started and the
// Ended of a pod. So they do not depend on the worker's clock, and differences between
// two of them are as exact as the cluster's clocks agree. Kubernetes has whole seconds. A
// stage that was not reached, or is unknown, is zero.
type Times struct {
	// Created is when the API server created the Job, or the pod in a [JobResult].
	Created time.Time
	// Scheduled is when the pod was bound to a node; of a Job, its first pod.
	Scheduled time.Time
	// Started is when the first container began to run; of a Job, in its first pod.
	Started time.Time
	// Ended is when the last container ended; of a Job, when it got its condition.
	Ended time.Time
	// Seen is when a worker first knew the end, by the newest time that the API server had
	// sent it and what had passed since. It may lag behind by a second or two.
	Seen time.Time
}

func podTimes(o *step.Outcome, p pods.Outcome) Times {
	t := Times{Created: p.CreatedAt, Scheduled: p.ScheduledAt, Ended: p.FinishedAt, Seen: o.Seen}
	for _, c := range p.Containers {
		earliest(&t.Started, c.StartedAt)
	}
	return t
}

func jobTimes(o *step.Outcome) Times {
	t := Times{Created: o.Created, Ended: o.Ended, Seen: o.Seen}
	for _, p := range o.Pods {
		pod := podTimes(o, p)
		earliest(&t.Scheduled, pod.Scheduled)
		earliest(&t.Started, pod.Started)
	}
	return t
}

func earliest(t *time.Time, other time.Time) {
	if t.IsZero() || !other.IsZero() && other.Before(*t) {
		*t = other
	}
}
