package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// WitnessName is the name of a second Node object without a machine, tainted like a
// control plane node. When all nodes of a cluster are unreachable, the node controller
// assumes that the fault is its own and evicts nothing. The witness stays healthy, so
// that the loss of the real node has the same consequences as in a larger cluster.
const WitnessName = "kontinue-control-plane"

// witness renews the lease of the second node, as a kubelet would.
type witness struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (c *Cluster) startWitness(ctx context.Context) error {
	node := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name:   WitnessName,
			Labels: map[string]string{"node-role.kubernetes.io/control-plane": "", corev1.LabelHostname: WitnessName},
		},
		Spec: corev1.NodeSpec{Taints: []corev1.Taint{
			{Key: "node-role.kubernetes.io/control-plane", Effect: corev1.TaintEffectNoSchedule},
		}},
	}
	node, err := c.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{})
	if err != nil {
		return fmt.Errorf("create witness node: %w", err)
	}
	now := metav1.Now()
	node.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "Witness",
		LastHeartbeatTime: now, LastTransitionTime: now,
	}}
	if _, err := c.client.CoreV1().Nodes().UpdateStatus(ctx, node, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("set witness node ready: %w", err)
	}
	lease := &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Name: WitnessName},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       new(WitnessName),
			LeaseDurationSeconds: new(c.leaseSeconds()),
			RenewTime:            new(metav1.NowMicro()),
		},
	}
	leases := c.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	if _, err := leases.Create(ctx, lease, metav1.CreateOptions{}); err != nil {
		return fmt.Errorf("create lease of witness node: %w", err)
	}
	renewing, cancel := context.WithCancel(context.Background())
	w := &witness{cancel: cancel, done: make(chan struct{})}
	c.witness = w
	interval := time.Duration(c.leaseSeconds()) * time.Second / 4
	go func() {
		defer close(w.done)
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-renewing.Done():
				return
			case <-ticker.C:
			}
			attempt, cancel := context.WithTimeout(renewing, probeTimeout)
			patch := fmt.Appendf(nil, `{"spec":{"renewTime":%q}}`, time.Now().UTC().Format(metav1.RFC3339Micro))
			_, err := leases.Patch(attempt, WitnessName, types.MergePatchType, patch, metav1.PatchOptions{})
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				// Tests stop the API server; the next renewal may succeed.
				c.options.Logger.DebugContext(renewing, "failed to renew the witness node's lease", "error", err)
			}
		}
	}()
	return nil
}

func (w *witness) stop() {
	w.cancel()
	<-w.done
}

// leaseSeconds returns the lease duration of both nodes. They renew the lease after a
// quarter of it, which is six times in a monitor grace period.
func (c *Cluster) leaseSeconds() int32 {
	return max(int32(c.options.NodeMonitorGracePeriod*2/3/time.Second), 1)
}
