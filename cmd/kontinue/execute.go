package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue"
)

const (
	// group is the worker group of all runs.
	group = "cli"
	// secondSignal is how long the first Ctrl-C waits for a second one.
	secondSignal = 2 * time.Second
	// requestLimit bounds the requests after the end of a run.
	requestLimit = 10 * time.Second
	// exitSignal and the number of the signal that ended the wait are the exit code, as in
	// a shell.
	exitSignal = 128
)

// errDetached means that the wait was ended, and that the Job keeps running.
var errDetached = errors.New("detached")

// run runs the command as a step, or returns to it.
func (o *runOptions) run(ctx context.Context, t terminal, command []string) (err error) {
	if err := o.check(); err != nil {
		return err
	}
	spec, err := o.pod(command)
	if err != nil {
		return err
	}
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(o.loading, &o.overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return fmt.Errorf("%w; pass --kubeconfig, or start a cluster with: kontinue dev", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return err
	}
	clientset, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	d := newDisplay(t, namespace+"/"+o.name)
	defer d.close()
	client, err := kontinue.New(kontinue.Config{RESTConfig: config, Namespace: namespace, Group: group, OnProgress: d.progress})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s := &session{runOptions: o, client: client, display: d, signals: t.signals, cancel: cancel}
	pod := &kontinue.PodOptions{
		StepOptions: kontinue.StepOptions{DisplayName: o.name, Timeout: o.timeout, Logs: d},
		Spec:        spec,
	}
	stop := s.interruptible()
	ktx, step, err := s.start(ctx, clientset, namespace, pod)
	stop()
	defer func() { _ = client.Stop(context.WithoutCancel(ctx)) }() // the process ends anyway
	exit := interrupted(ctx)
	switch {
	case exit != nil && err != nil:
		return exit
	case exit != nil:
		return s.detach(step, exit.code)
	case err != nil:
		return err
	}
	return s.wait(ktx, step)
}

// session is one call of run.
type session struct {
	*runOptions
	client  *kontinue.Client
	owner   *owner
	display *display
	signals <-chan os.Signal
	cancel  context.CancelCauseFunc

	early    os.Signal // came before start returned, for follow
	canceled bool      // by a second Ctrl-C
}

// interruptible makes a signal end the context until the returned function is called. Once
// the container is seen to run, there is nothing to end: the signal is then one for follow,
// although the start has not returned yet.
func (s *session) interruptible() (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case sig := <-s.signals:
			if s.display.running() {
				s.early = sig
				return
			}
			s.cancel(&exitError{code: codeOf(sig), err: fmt.Errorf("interrupted; if the Job exists already, it keeps running: repeat the call with --name %s to return to it", s.name)})
		case <-done:
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// interrupted returns the error of the signal that has ended the context, or nil.
func interrupted(ctx context.Context) *exitError {
	var exit *exitError
	if errors.As(context.Cause(ctx), &exit) {
		return exit
	}
	return nil
}

// start starts the client, and then the step, or finds it. The ConfigMap comes first: its
// request shows at once whether the API server can be reached.
func (s *session) start(ctx context.Context, clientset kubernetes.Interface, namespace string, pod *kontinue.PodOptions) (ktx *kontinue.ExecutionContext, step *kontinue.Step[*kontinue.PodResult], err error) {
	if s.owner, err = findOwner(ctx, clientset, namespace, s.name); err != nil {
		return nil, nil, err
	}
	if err := s.client.Start(ctx); err != nil {
		return nil, nil, s.withoutJob(ctx, err)
	}
	execution := s.owner.execution()
	if !s.owner.created {
		if err := s.nextAttempt(ctx, &execution); err != nil {
			return nil, nil, err
		}
	}
	if ktx, err = s.client.NewExecutionContext(ctx, execution); err != nil {
		return nil, nil, err
	}
	step, err = kontinue.StartPod(ktx, pod)
	switch {
	case errors.Is(err, kontinue.ErrSpecDrift):
		return nil, nil, s.drifted(err)
	case errors.Is(err, kontinue.ErrInvalid) || apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err):
		return nil, nil, s.withoutJob(ctx, err)
	}
	return ktx, step, err
}

// withoutJob returns the error of a run that has no Job. It deletes the ConfigMap that
// this call has made.
func (s *session) withoutJob(ctx context.Context, err error) error {
	if !s.owner.created {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestLimit)
	defer cancel()
	return errors.Join(err, s.owner.remove(ctx))
}

// wait waits for the step's end or for a signal.
func (s *session) wait(ktx *kontinue.ExecutionContext, step *kontinue.Step[*kontinue.PodResult]) error {
	ctx := ktx.Context()
	if err := s.follow(ctx, step); err != nil {
		return err
	}
	result, err := step.Wait(ctx)
	if err != nil {
		return fmt.Errorf("%w; job %s/%s", err, s.owner.object.Namespace, step.JobName())
	}
	s.display.close()
	s.report(ktx, result)
	if s.remove {
		if err := s.owner.remove(ctx); err != nil {
			return err
		}
	}
	code := exitCode(result)
	if s.canceled && code != 0 {
		code = codeOf(os.Interrupt)
	}
	if code != 0 {
		return &exitError{code: code}
	}
	return nil
}

// nextAttempt sets the attempt to that of the newest run, or to the next one if that has
// failed and is to be retried.
func (s *session) nextAttempt(ctx context.Context, execution *kontinue.Execution) error {
	runs, err := s.client.Steps(ctx, *execution)
	if err != nil || len(runs) == 0 {
		return err
	}
	newest := runs[len(runs)-1]
	execution.Attempts = newest.Attempt
	if s.retry && newest.State == kontinue.StepFailed {
		execution.Attempts++
		execution.Resumptions = 0
		execution.ChildPolicy = kontinue.ChildPolicyRetryFailed
	}
	return nil
}

// drifted is the error of a name that is in use for something else. Its lines say what
// differs, without the values of arguments and variables.
func (s *session) drifted(err error) error {
	_, differences, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("the run %s/%s was made from other options; repeat that call to return to it, choose another --name, or delete it with: kubectl delete configmap %s --namespace %s\n%s",
		s.owner.object.Namespace, s.name, s.name, s.owner.object.Namespace, differences)
}

// follow returns when the step has ended. After a signal it returns the exit code, or
// cancels the step and waits on.
func (s *session) follow(ctx context.Context, step *kontinue.Step[*kontinue.PodResult]) error {
	var second <-chan time.Time
	for sig := s.early; ; sig = nil {
		if sig == nil {
			select {
			case <-step.Done():
				return nil
			case <-second:
				return s.detach(step, codeOf(os.Interrupt))
			case sig = <-s.signals:
			}
		}
		switch {
		case sig != os.Interrupt || s.canceled:
			return s.detach(step, codeOf(sig))
		case second == nil:
			timer := time.NewTimer(secondSignal)
			defer timer.Stop()
			second = timer.C
			s.display.sayf("press Ctrl-C again to stop the Job; it keeps running otherwise")
		default:
			second, s.canceled = nil, true
			s.display.sayf("stopping the Job; press Ctrl-C again to leave at once")
			if err := step.Cancel(ctx); err != nil {
				return err
			}
		}
	}
}

// detach leaves the step as it is. Nothing is shown after its line.
func (s *session) detach(step *kontinue.Step[*kontinue.PodResult], code int) error {
	s.display.close()
	s.display.sayf("detached from job %s, which keeps running; repeat the call with --name %s to return to it", step.JobName(), s.name)
	s.cancel(errDetached)
	return &exitError{code: code}
}

// codeOf returns the exit code of a program that a signal has ended.
func codeOf(sig os.Signal) int {
	if number, ok := sig.(syscall.Signal); ok {
		return exitSignal + int(number)
	}
	return exitFailed
}
