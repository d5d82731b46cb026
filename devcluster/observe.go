package devcluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/apiserver"
)

// Jobs returns the Jobs that were created for the Execution in the order of their creation.
// Those that were deleted are among them, in their last state; of the whole cluster, at
// least the 10,000 that were deleted last.
func (c *Cluster) Jobs(execution kontinue.Execution) []batchv1.Job {
	return c.ledger.of(execution.Owner.UID)
}

// Requests returns how many requests the clients of [Cluster.RESTConfig] have made with that
// verb and resource, such as "create" and "jobs"; an empty one means any. A watch is one
// request. It returns an error for requests that the API server does not have.
func (c *Cluster) Requests(verb, resource string) (int, error) {
	if err := c.checkRequest(verb, resource); err != nil {
		return 0, err
	}
	return c.memory.APIServer().Stats().Count(apiserver.DefaultUser, verb, resource), nil
}

// tick is how often a condition is checked that no write to the cluster makes true.
const tick = time.Second

// WaitFor waits until the condition holds. It is checked at once, after writes to the cluster
// and each second. WaitFor returns the error of the condition, or one that wraps the cause of
// ctx's end.
func (c *Cluster) WaitFor(ctx context.Context, condition wait.ConditionWithContextFunc) error {
	if condition == nil {
		return errors.New("devcluster: wait for a condition: it is nil")
	}
	written := make(chan struct{}, 1)
	defer c.memory.APIServer().AddObserver(func(apiserver.Write) {
		select {
		case written <- struct{}{}:
		default:
		}
	})()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		if ok, err := condition(ctx); ok || err != nil {
			return err
		}
		select {
		case <-written:
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("devcluster: the condition does not hold: %w", context.Cause(ctx))
		}
	}
}
