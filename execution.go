package kontinue

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/step"
	"github.com/kontinue/kontinue/jobs"
)

// ChildPolicy says which finished children an Execution runs again when its
// function is retried, that is with a greater Execution.Attempts. A child that
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
	case ChildPolicyNone:
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
// Any namespaced object of the program will do: a custom resource, a ConfigMap, a
// Lease. The program runs its function again after a crash, with Resumptions
// incremented, and after a failure, with Attempts incremented.
type Execution struct {
	// Namespace is the object's namespace, in which its Jobs are created. It must be one
	// that the client serves. Default: that of a client that serves one only.
	Namespace string
	// Owner refers to the object. APIVersion, Kind, Name and UID are required.
	// The Jobs carry it as their controller owner reference, so the cluster's
	// garbage collector removes them with it. Controller is set to true;
	// BlockOwnerDeletion is kept as it is.
	Owner metav1.OwnerReference
	// Attempts counts the retries of the function: 0 on the first attempt. On a
	// retry the child policy decides which steps run again.
	Attempts int
	// Resumptions counts how often the function was started again within this
	// attempt, after a crash of its worker. A resumed function finds its Jobs in any
	// case. With Resumptions (or Attempts) above 0 its first step reads the Jobs of all
	// steps with one LIST; with 0 each step that has ended costs a create that fails
	// with AlreadyExists.
	Resumptions int
	// ChildPolicy says which finished children a retry runs again. Default:
	// ChildPolicyNone.
	ChildPolicy ChildPolicy
	// TTL is how long the Jobs stay after [Client.Finish], counted from the end
	// of each Job. A ttlSecondsAfterFinished in a Job's own spec takes its place
	// for that Job. Default: nil, they stay until the owner is deleted.
	TTL *metav1.Duration
}

// ExecutionContext is the argument of a worker function: its Execution, its context
// and the client that runs its steps. It is made by
// [Client.NewExecutionContext] for one run of the function, and is safe for
// concurrent steps.
type ExecutionContext struct {
	execution Execution
	run       *step.Run
}

// valid reports whether the context was made by NewExecutionContext.
func (k *ExecutionContext) valid() bool { return k != nil && k.run != nil }

// Context returns the context that the function runs under. Its end ends the
// waits of the function's steps.
func (k *ExecutionContext) Context() context.Context { return k.run.Context() }

// WithContext returns an ExecutionContext for the same run of the function, whose steps
// wait under ctx: it shares the names and ordinals of steps with k. So steps can run in the
// goroutines of an errgroup and end with its context. A nil ctx stands for that of k.
func (k *ExecutionContext) WithContext(ctx context.Context) *ExecutionContext {
	if !k.valid() || ctx == nil {
		return k
	}
	return &ExecutionContext{execution: k.execution, run: k.run.WithContext(ctx)}
}

// Execution returns the Execution, with its defaults filled in.
func (k *ExecutionContext) Execution() Execution { return k.execution }

// Attempts returns how often the function was retried: 0 on the first attempt.
func (k *ExecutionContext) Attempts() int { return k.execution.Attempts }

// Resumptions returns how often the function was started again within this
// attempt, after a crash of its worker.
func (k *ExecutionContext) Resumptions() int { return k.execution.Resumptions }

// check fills in defaults and refuses what cannot own a Job in a namespace of the client.
func (e Execution) check(c Config) (step.Execution, Execution, error) {
	var errs []error
	var err error
	e.ChildPolicy = cmp.Or(e.ChildPolicy, ChildPolicyNone)
	if e.Namespace, err = c.namespaceOf(e.Namespace); err != nil {
		errs = append(errs, err)
	}
	if o := e.Owner; o.APIVersion == "" || o.Kind == "" || o.Name == "" || o.UID == "" {
		errs = append(errs, errors.New("Owner needs APIVersion, Kind, Name and UID: typed clients return objects without the first two, so take those from the kind's GroupVersionKind, as metav1.NewControllerRef does"))
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
		return step.Execution{}, e, invalid("Execution", errors.Join(errs...))
	}
	return step.Execution{
		Execution: identity.Execution{Namespace: e.Namespace, Name: e.Owner.Name, UID: e.Owner.UID},
		Owner:     e.Owner,
		Attempt:   e.Attempts,
		Resumed:   e.Resumptions > 0,
		Policy:    policy,
	}, e, nil
}
