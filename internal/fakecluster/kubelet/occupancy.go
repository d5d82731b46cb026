package kubelet

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
)

// place records the node of the pod. It returns false for an unknown node.
func (k *Kubelet) place(w *podWorker, name string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w.node != nil {
		return true
	}
	n := k.nodes[name]
	if n == nil {
		return false
	}
	if w.boundTo == "" && !w.done.Load() { // bound by hand
		n.take(w)
	}
	w.node, w.boots = n, n.boots
	k.addresses++
	w.podIP = fmt.Sprintf("10.%d.%d.%d", 244+k.addresses>>16&7, k.addresses>>8&255, k.addresses&255)
	delete(k.unplaced, w.uid)
	return true
}

// rebooted reports whether the pod's node was started again since the last call.
func (k *Kubelet) rebooted(w *podWorker) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w.node == nil || w.boots == w.node.boots {
		return false
	}
	w.boots = w.node.boots
	return true
}

func (k *Kubelet) dead(w *podWorker) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return w.node != nil && w.node.dead
}

// admitted reports whether the pod may start its containers: it has a slot, if
// those are limited, and its volumes can be mounted.
func (w *podWorker) admitted(k *Kubelet, next *soonest) bool {
	if !w.mounted {
		w.changed.Store(false)
		w.lastMount = ""
		if err := k.mount(w); err != nil {
			w.lastMount = err.Error()
			next.in(mountRetry)
			return false
		}
		w.mounted = true
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case w.slot || k.opts.MaxPods <= 0:
		return true
	case k.slots > 0:
		k.slots--
		w.slot = true
		return true
	case !w.queued:
		w.queued = true
		k.waitSlots = append(k.waitSlots, w.uid)
	}
	return false
}

// release frees the pod's share of its node, and its slot.
func (k *Kubelet) release(w *podWorker) {
	k.mu.Lock()
	freed := false
	if n := k.nodes[w.boundTo]; n != nil {
		freed = n.give(w)
	}
	if w.node != nil {
		freed = w.node.give(w) || freed
	}
	var next types.UID
	if w.slot {
		w.slot = false
		k.slots++
	}
	if k.slots > 0 && len(k.waitSlots) > 0 {
		next, k.waitSlots = k.waitSlots[0], k.waitSlots[1:]
		if waiting := k.workers[next]; waiting != nil {
			waiting.queued = false
		}
	}
	k.mu.Unlock()
	if next != "" {
		k.queue.Add(next)
	}
	if freed && k.share {
		k.retryUnscheduled()
	}
}

// retryWaiting syncs the pods of a namespace in which a Secret or a ConfigMap has
// changed.
func (k *Kubelet) retryWaiting(namespace string) {
	k.mu.Lock()
	var uids []types.UID
	for uid, w := range k.workers {
		if w.namespace == namespace && !w.done.Load() && w.references {
			w.changed.Store(true)
			uids = append(uids, uid)
		}
	}
	k.mu.Unlock()
	for _, uid := range uids {
		k.queue.Add(uid)
	}
}
