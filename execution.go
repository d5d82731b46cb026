package kontinue

import (
	"context"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/jobs"
)

// ChildPolicy says which finished children an Execution runs again when its
// function is retried, that is when Execution.Attempts has grown. A child that
// is still running is waited for under every policy but ChildPolicyRetryAll,
// which deletes it first.
type ChildPolicy string

// The child policies. An empty ChildPolicy is ChildPolicyNone.
const (
	// ChildPolicyNone runs no finished child again: its result is reused,
	// whether it succeeded or failed.
	ChildPolicyNone ChildPolicy = "None"
	// ChildPolicyRetryFailed runs failed children again and reuses the results
	// of those that succeeded. A RunPod or RunScript failed if Succeeded is false;
	// a RunJob if the Job did: one that completed after retries of its own is
	// reused, although its Succeeded is false.
	ChildPolicyRetryFailed ChildPolicy = "RetryFailed"
	// ChildPolicyRetryAll runs every child again.
	ChildPolicyRetryAll ChildPolicy = "RetryAll"
)

func (p ChildPolicy) policy() (jobs.Policy, error) {
	switch p {
	case "", ChildPolicyNone:
		return jobs.None, nil
	case ChildPolicyRetryFailed:
		return jobs.RetryFailed, nil
	case ChildPolicyRetryAll:
		return jobs.RetryAll, nil
	default:
		return jobs.None, fmt.Errorf("ChildPolicy %q: want %q, %q or %q", p, ChildPolicyNone, ChildPolicyRetryFailed, ChildPolicyRetryAll)
	}
}

// Execution is the Kubernetes object on whose behalf a worker function runs.
// Any namespaced object that the worker app owns will do: a custom resource, a
// ConfigMap, a Lease.
type Execution struct {
	// Namespace is the object's namespace, in which its Jobs are created. It
	// must be the client's; empty means that.
	Namespace string
	// Owner refers to the object. APIVersion, Kind, Name and UID are required.
	// The Jobs carry it as their controller owner reference, so the cluster's
	// garbage collector removes them with it. Controller is set to true;
	// BlockOwnerDeletion is kept as it is.
	Owner metav1.OwnerReference
	// Attempts counts the retries of the function: 0 on the first attempt. A
	// retry is what the child policy speaks of.
	Attempts int
	// Resumptions counts how often the function was started again within this
	// attempt, after its worker had gone away. It changes nothing about the
	// steps: a resumed function finds its own Jobs.
	Resumptions int
	// ChildPolicy says which finished children a retry runs again. Default:
	// ChildPolicyNone.
	ChildPolicy ChildPolicy
	// TTL is how long the Jobs stay after [Client.Finish], counted from the end
	// of each Job. A ttlSecondsAfterFinished in a Job's own spec takes its place
	// for that Job. Default: nil, they stay until the owner goes.
	TTL *metav1.Duration
}

// ExecutionContext is what a worker function gets: its Execution, its context
// and the client that runs its steps. It is made by
// [Client.NewExecutionContext] for one run of the function, and is safe for
// concurrent steps.
type ExecutionContext struct {
	ctx       context.Context
	client    *Client
	execution Execution
	policy    jobs.Policy

	mu       sync.Mutex
	ordinal  int             // of the last unnamed step
	inFlight bool            // an unnamed step is running
	used     map[string]bool // the names of this attempt's steps
}

// NewExecutionContext prepares one run of an Execution's function. ctx ends
// the waits of its steps, never their Jobs. It sends no request; an Execution
// that cannot be an owner is an [ErrInvalid].
func (c *Client) NewExecutionContext(ctx context.Context, execution Execution) (*ExecutionContext, error) {
	if ctx == nil {
		return nil, invalid("NewExecutionContext", errNilContext)
	}
	execution, policy, err := c.checkExecution(execution)
	if err != nil {
		return nil, err
	}
	return &ExecutionContext{ctx: ctx, client: c, execution: execution, policy: policy, used: make(map[string]bool)}, nil
}

// checkExecution fills in defaults and refuses what cannot own a Job.
func (c *Client) checkExecution(e Execution) (Execution, jobs.Policy, error) {
	var errs []error
	if e.Namespace == "" {
		e.Namespace = c.cfg.Namespace
	}
	if e.Namespace != c.cfg.Namespace {
		errs = append(errs, fmt.Errorf("Namespace %q is not the client's %q: use one client for each namespace", e.Namespace, c.cfg.Namespace))
	}
	if o := e.Owner; o.APIVersion == "" || o.Kind == "" || o.Name == "" || o.UID == "" {
		errs = append(errs, errors.New("Owner needs APIVersion, Kind, Name and UID: take them from the object as the API server returned it"))
	}
	if e.Attempts < 0 || e.Resumptions < 0 {
		errs = append(errs, errors.New("Attempts and Resumptions must not be negative"))
	}
	if e.TTL != nil && e.TTL.Duration < 0 {
		errs = append(errs, errors.New("TTL must not be negative"))
	}
	policy, err := e.ChildPolicy.policy()
	if err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return e, policy, invalid("Execution", errors.Join(errs...))
	}
	return e, policy, nil
}

func (e Execution) identity() identity.Execution {
	return identity.Execution{Namespace: e.Namespace, Name: e.Owner.Name, UID: e.Owner.UID}
}

// Context returns the context that the function runs under. Its end ends the
// waits of the function's steps.
func (k *ExecutionContext) Context() context.Context { return k.ctx }

// Execution returns the Execution, with its defaults filled in.
func (k *ExecutionContext) Execution() Execution { return k.execution }

// Attempts returns how often the function was retried: 0 on the first attempt.
func (k *ExecutionContext) Attempts() int { return k.execution.Attempts }

// Resumptions returns how often the function was started again within this
// attempt after its worker had gone away.
func (k *ExecutionContext) Resumptions() int { return k.execution.Resumptions }

// enter claims the step's name for this attempt and returns the function that
// the step calls at its end, to say whether it has a result. A step that failed
// with an error gives its name or ordinal back: a function that calls it again
// means the same step, and must find the Job that may be there. An unnamed step
// is named by its ordinal, which means the same step after a restart only if
// unnamed steps run one after the other.
func (k *ExecutionContext) enter(name string) (step string, leave func(result bool), err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if name == "" {
		if k.inFlight {
			return "", nil, errors.New("another step without a Name is in flight: steps that run at the same time need a StepOptions.Name each, since their order is not the same after a restart")
		}
		k.ordinal++
		k.inFlight = true
		return identity.StepName(k.ordinal), func(result bool) {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.inFlight = false
			if !result {
				k.ordinal--
			}
		}, nil
	}
	if err := identity.ValidateStepName(name); err != nil {
		return "", nil, err
	}
	if k.used[name] {
		return "", nil, fmt.Errorf("StepOptions.Name %q was used already in this attempt: a name stands for one step", name)
	}
	k.used[name] = true
	return name, func(result bool) {
		k.mu.Lock()
		defer k.mu.Unlock()
		if !result {
			delete(k.used, name)
		}
	}, nil
}
