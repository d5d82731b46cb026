// Package kontinue runs Kubernetes Jobs from Go code and waits for them. A call
// that runs a Job survives its process: when the function that made it runs again,
// the call finds the Job and returns its result.
//
// # Executions
//
// An [Execution] is a Kubernetes object on whose behalf a Go function runs: any
// namespaced object that the program owns, such as a custom resource, a ConfigMap
// or a Lease. The function is its worker function. It is plain Go code that gets an
// [ExecutionContext], and each call of [RunJob], [RunPod] or [RunScript] in it is a
// step, as is one of [StartJob], [StartPod] or [StartScript], which do not wait. A step is
// a Job. The Execution owns its Jobs, so the garbage collector deletes them with it.
//
// kontinue does not call the worker function: a controller or a queue consumer of
// the program does. It calls the function when the Execution is new, again after
// its worker has crashed, and again when the function has failed and is to be
// retried. It keeps count of both, usually in the object, and passes the counts in
// Execution.Resumptions, which begins at 0 in each attempt, and Execution.Attempts.
// The program examples/fxworker of this module is such a worker.
//
// # A program
//
// This program runs the function release for one Execution and retries it twice:
//
//	package main
//
//	import (
//		"context"
//		"errors"
//		"log"
//		"time"
//
//		metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
//		"k8s.io/client-go/rest"
//
//		"github.com/kontinue/kontinue"
//	)
//
//	// release is the worker function.
//	func release(ktx *kontinue.ExecutionContext) error {
//		for _, name := range []string{"build", "publish"} {
//			result, err := kontinue.RunScript(ktx, &kontinue.ScriptOptions{
//				StepOptions: kontinue.StepOptions{Name: name, Timeout: time.Hour},
//				Image:       "registry.example.com/tools:1",
//				Command:     "make " + name,
//			})
//			if err != nil {
//				return err // there is no result
//			}
//			if err := result.Err(); err != nil {
//				return err // the workload ran and failed
//			}
//		}
//		return nil
//	}
//
//	// work runs release until it has succeeded, at most three times.
//	func work(ctx context.Context, client *kontinue.Client, execution kontinue.Execution) error {
//		for {
//			ktx, err := client.NewExecutionContext(ctx, execution)
//			if err != nil {
//				return err
//			}
//			err = release(ktx)
//			var failure *kontinue.ExitError
//			if !errors.As(err, &failure) || execution.Attempts == 2 {
//				return err
//			}
//			execution.Attempts++ // a real worker also updates the object
//		}
//	}
//
//	func main() {
//		ctx := context.Background()
//		config, err := rest.InClusterConfig()
//		if err != nil {
//			log.Fatal(err)
//		}
//		client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: "ci"})
//		if err != nil {
//			log.Fatal(err)
//		}
//		if err := client.Start(ctx); err != nil {
//			log.Fatal(err)
//		}
//		execution := kontinue.Execution{
//			Owner: metav1.OwnerReference{ // of an object in the namespace
//				APIVersion: "example.com/v1", Kind: "Release", Name: "release-42",
//				UID: "0b9d3a52-6a0c-4b5e-9d43-3f1b8f6f4c11",
//			},
//			ChildPolicy: kontinue.ChildPolicyRetryFailed,
//			TTL:         &metav1.Duration{Duration: time.Hour},
//		}
//		var failure *kontinue.ExitError
//		if err = work(ctx, client, execution); err != nil {
//			log.Print(err)
//		}
//		if err == nil || errors.As(err, &failure) { // it has ended: its Jobs get their TTL
//			if err := client.Finish(ctx, execution); err != nil {
//				log.Print(err)
//			}
//		}
//		if err := client.Stop(ctx); err != nil {
//			log.Print(err)
//		}
//	}
//
// # Steps
//
//   - [RunJob] runs a whole batchv1.JobSpec and returns a [JobResult].
//   - [RunPod] runs one pod, once, and returns a [PodResult] with its exit codes.
//   - [RunScript] runs a command in a shell: a RunPod of one container, with Files that
//     are in a Secret of the Job.
//
// Config.PodTemplate is the base of every step's pod, such as node selectors and security
// contexts; [RestrictedPodTemplate] is one for the Pod Security Standard "restricted".
//
// A result has Succeeded, Err, Logs and LogErrorSummary, and [DecodeOutput] reads the
// value that a container returned. A result is recorded on the Job before the call
// returns, so it outlives the pods. StepOptions.Logs gets the lines of the containers
// while they run. A step is named by
// StepOptions.Name, or by its ordinal in the function; steps that run at the same
// time need a name each.
//
// While a step waits it sends no request: all waits of a [Client] share one watch
// of Jobs and one of Pods (of those of several namespaces: see [Config]). RunPod and
// RunScript end with the containers that were submitted, some two seconds before the Job
// has its condition; see [Until].
//
// # Handles
//
// [StartJob], [StartPod] and [StartScript] return a [Step] when the Job exists. It is to the
// Job what an exec.Cmd is to a process: RunScript is to StartScript and [Step.Wait] what
// Cmd.Run is to Cmd.Start and Cmd.Wait, [Step.Cancel] kills, and [Step.Logs] is the pipe of
// its output. So several steps run at once without a goroutine:
//
//	var steps []*kontinue.Step[*kontinue.PodResult]
//	for _, name := range []string{"lint", "unit", "docs"} {
//		step, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{
//			StepOptions: kontinue.StepOptions{Name: name},
//			Image:       "registry.example.com/tools:1",
//			Command:     "make " + name,
//		})
//		if err != nil {
//			return err
//		}
//		steps = append(steps, step)
//	}
//	for _, step := range steps {
//		result, err := step.Wait(ktx.Context())
//		if err == nil {
//			err = result.Err()
//		}
//		if err != nil {
//			return err // the others keep running, and a resume finds them
//		}
//	}
//
// A Step ends with its Job, with the context of its ExecutionContext or with the client,
// and is recorded also if Wait is never called. A function that must not block, such as a
// reconciler, looks at [Step.Done] and [Step.Progress], and StepEnded of an [Observer]
// calls it again. Its ExecutionContext needs a context that outlives the call. With
// Config.MaxRunning the start of a step may wait for room, and belongs in a goroutine then.
//
// # Contexts
//
// [ExecutionContext.WithContext] gives steps another context within the same run of the
// function, such as that of an errgroup. The end of the context ends the wait and, unlike
// that of exec.CommandContext, not what runs, unless StepOptions.OnContextDone is [Cancel].
//
// A step in a loop needs a name for each iteration, such as fmt.Sprintf("check-%d", i). By
// it alone the iteration finds its Job after a restart, so it must be the same then: a name
// that depends on the time or on chance creates another Job.
//
// # Limits
//
// Config.MaxRunning bounds the Jobs of the worker group that run at a time: a step that would
// create a further one waits in its Run or Start, first come first served. Config.MaxInFlight
// bounds requests, which a step that waits does not send.
//
// # After a crash
//
// The Jobs keep running while no worker does. When the function runs again, from
// its top, each step computes the name of its Job. It adopts the Job if it exists:
// a step that had ended returns its recorded result, one that is still running
// waits. Everything else in the function runs again, so code between steps should
// be idempotent.
//
// Pass Resumptions greater than zero for such a run. The client then reads the Jobs
// of the Execution with one LIST at the first step; on a first run there is nothing
// to read.
//
// # Attempts
//
// A retry is a run with a greater Execution.Attempts. Its [ChildPolicy] decides
// which steps run again: [ChildPolicyNone] none that has ended, so that a failed
// step returns the same failure; [ChildPolicyRetryFailed] those that failed;
// [ChildPolicyRetryAll] all. A step that is still running is waited for, except
// under ChildPolicyRetryAll, which deletes it first. Earlier Jobs stay until
// [Client.Finish].
//
// Within an attempt StepOptions.Retry runs a step again, by the class of its failure: see
// [Retry].
//
// # Errors
//
// A workload that ran and failed is a result, and the error of a call means that
// there is none. The Err method of a result returns an [ExitError], in the manner
// of os/exec, with container, exit code, signal and reason: of several pods those of
// the one by whose failure it was decided that the Job failed. Its [Class] says who can
// do something about it, and its Advice what. Err returns nil for a
// Job that is Complete, also if pods failed on the way. For the caller of the
// worker function this is the difference that counts:
//
//   - An error that wraps an ExitError: the step failed. Retry the function, with
//     Attempts incremented, or give up.
//   - [ErrCanceled], in the result or as the error of the call: give up.
//   - [ErrInvalid], [ErrSpecDrift], [ErrNameConflict]: the function, or an object in
//     the cluster, has to be fixed first.
//   - Any other error, such as the end of the context or [ErrNotRunning]: the step
//     may still be running. Run the function again, with Resumptions incremented.
//
// # End
//
// [Client.Stop] ends the waits, never the Jobs, and so does the end of the context unless
// the step's OnContextDone is [Cancel].
// [Client.Cancel] stops the Jobs of an Execution and keeps them. [Client.Finish]
// declares the end of the Execution, after which its Jobs expire by their TTL: save
// the outcome first, since a step whose Job has expired would run again.
//
// # To ask
//
// [Client.Steps] returns what became of the steps of an Execution, from its Jobs alone: in
// another process, while they run and when they have ended.
//
// # To observe
//
// An [Observer] is called with the begin and the end of each step, which ends exactly once,
// and with each request: for counters by [Class], histograms of [Times] and traces. Env, args
// and commands are not in it. Config.OnProgress is called with each change of state.
//
// # Namespaces
//
// The steps of an Execution run in its namespace. A client serves one namespace, a list or
// all (Config.Namespace, Namespaces and AllNamespaces). With more than one,
// Execution.Namespace is required.
//
// # Fx
//
// [Module] is a client that starts and stops with a go.uber.org/fx application. It
// needs a [Config] and provides a *Client. [ModuleNamed] is for an application with several
// clients. Nothing else needs fx.
//
// # Packages
//
//   - [github.com/kontinue/kontinue/kontinuetest] is a cluster in memory for tests
//     of worker functions, with faults and in virtual time.
//   - [github.com/kontinue/kontinue/devcluster] is the same cluster for programs, and for
//     kubectl.
//   - [github.com/kontinue/kontinue/watch] keeps the Jobs and Pods of a worker group
//     in memory, from two watches.
//   - [github.com/kontinue/kontinue/dispatch] hands their events to the steps that
//     wait.
//   - [github.com/kontinue/kontinue/jobs] builds, creates, adopts and patches Jobs,
//     and reads their status.
//   - [github.com/kontinue/kontinue/pods] builds pods from scripts, and reads how
//     they ended.
//   - [github.com/kontinue/kontinue/logs] reads the logs of a container.
//
// This package and kontinuetest keep their API compatible from v0.1 on. The others
// are their parts: they can be used, and may change until v1. Before v0.1, workers
// with different versions of the module must not run the same Execution.
package kontinue
