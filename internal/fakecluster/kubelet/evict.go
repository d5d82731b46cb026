package kubelet

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
)

// Evict ends a pod as the kubelet does when its node runs out of a resource: the
// pod becomes Failed with reason Evicted, the message and the condition
// DisruptionTarget/TerminationByKubelet. An empty message stands for a shortage
// of memory.
func (k *Kubelet) Evict(namespace, name, message string) error {
	if message == "" {
		message = "The node was low on resource: memory."
	}
	pod, ok := k.cache.Pods.ByName(namespace, name)
	if !ok {
		return fmt.Errorf("there is no pod %s/%s to evict", namespace, name)
	}
	k.mu.Lock()
	k.evictions[pod.UID] = message
	k.mu.Unlock()
	k.queue.Add(pod.UID)
	return nil
}

// takeEviction returns the message of a requested eviction, once.
func (k *Kubelet) takeEviction(uid types.UID) (string, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	message, ok := k.evictions[uid]
	delete(k.evictions, uid)
	return message, ok
}
