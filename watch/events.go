package watch

import (
	"k8s.io/client-go/tools/cache"
)

func jobEvents(h Handler) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if job, ok := obj.(*Job); ok {
				h.JobChanged(job)
			}
		},
		UpdateFunc: func(old, obj any) {
			job, ok := obj.(*Job)
			if !ok {
				return
			}
			// A delete and a create under one name can arrive as one update.
			if before, ok := old.(*Job); ok && before.UID != job.UID {
				h.JobDeleted(before)
			}
			h.JobChanged(job)
		},
		DeleteFunc: func(obj any) {
			if job, ok := lastState(obj).(*Job); ok {
				h.JobDeleted(job)
			}
		},
	}
}

func podEvents(h Handler) cache.ResourceEventHandler {
	return cache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) {
			if pod, ok := obj.(*Pod); ok {
				h.PodChanged(pod)
			}
		},
		UpdateFunc: func(old, obj any) {
			pod, ok := obj.(*Pod)
			if !ok {
				return
			}
			if before, ok := old.(*Pod); ok && before.UID != pod.UID {
				h.PodDeleted(before)
			}
			h.PodChanged(pod)
		},
		DeleteFunc: func(obj any) {
			if pod, ok := lastState(obj).(*Pod); ok {
				h.PodDeleted(pod)
			}
		},
	}
}

// lastState opens the tombstone of an object whose deletion was missed.
func lastState(obj any) any {
	if tombstone, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		return tombstone.Obj
	}
	return obj
}
