package main

import (
	"context"
	"fmt"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	coordinationv1client "k8s.io/client-go/kubernetes/typed/coordination/v1"
)

// lease says that this process is alive. Its name is that of the process, and is not used
// again.
type lease struct {
	leases   coordinationv1client.LeaseInterface
	duration time.Duration
	object   *coordinationv1.Lease
	seen     map[types.UID]sighting // the Leases of all processes
	looked   time.Time              // when they were read last
}

// sighting is when a Lease was first seen in a version.
type sighting struct {
	version string
	at      time.Time
}

// acquire creates the Lease, which has a new name.
func acquire(ctx context.Context, leases coordinationv1client.LeaseInterface, duration time.Duration) (*lease, error) {
	object, err := leases.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "worker-", Labels: map[string]string{appLabel: appName}},
		Spec: coordinationv1.LeaseSpec{
			LeaseDurationSeconds: new(int32(duration.Seconds())),
			RenewTime:            new(metav1.NowMicro()),
		},
	}, metav1.CreateOptions{})
	if err != nil {
		return nil, fmt.Errorf("create the Lease of this process: %w", err)
	}
	return &lease{leases: leases, duration: duration, object: object, seen: map[types.UID]sighting{}}, nil
}

func (l *lease) name() string { return l.object.Name }

// renew writes the Lease, whatever its version: the response to an earlier renewal may have been
// lost. A NotFound says that others have given this process up.
func (l *lease) renew(ctx context.Context) error {
	patch := fmt.Appendf(nil, `{"spec":{"renewTime":%q}}`, time.Now().UTC().Format(metav1.RFC3339Micro))
	object, err := l.leases.Patch(ctx, l.name(), types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("renew Lease %s: %w", l.name(), err)
	}
	l.object = object
	return nil
}

// alive returns the names of the processes that have a Lease. It deletes each Lease that did
// not change for its duration while this process looked at it: so no clocks are compared, and
// an outage of the API server, in which none is renewed, does not count. The Lease must be the
// version that was seen, so that a renewal in the last moment counts.
func (l *lease) alive(ctx context.Context) (map[string]bool, error) {
	list, err := l.leases.List(ctx, metav1.ListOptions{LabelSelector: appLabel + "=" + appName})
	if err != nil {
		return nil, fmt.Errorf("read the Leases: %w", err)
	}
	looked := time.Now()
	blind := max(0, looked.Sub(l.looked)-2*l.duration/5) // what is more than two turns
	alive, seen := map[string]bool{}, map[types.UID]sighting{}
	for _, other := range list.Items {
		now := sighting{other.ResourceVersion, looked}
		if before, ok := l.seen[other.UID]; ok && before.version == now.version {
			now.at = before.at.Add(blind)
		}
		if looked.Sub(now.at) >= l.duration && l.remove(ctx, other) == nil {
			continue
		}
		alive[other.Name], seen[other.UID] = true, now
	}
	l.seen, l.looked = seen, looked
	return alive, nil
}

// remove deletes a Lease in the version that was seen. It returns nil if there is none.
func (l *lease) remove(ctx context.Context, object coordinationv1.Lease) error {
	err := l.leases.Delete(ctx, object.Name, metav1.DeleteOptions{
		Preconditions: &metav1.Preconditions{UID: &object.UID, ResourceVersion: &object.ResourceVersion},
	})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete Lease %s: %w", object.Name, err)
	}
	return nil
}
