package scenarios

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/identity"
)

// greeting is a file of a script, and what it has.
const (
	greeting     = "/etc/app/greeting"
	greetingText = "hello from a file\n"
)

// scriptFiles returns scenarios of RunScript with files, which are in a Secret.
func scriptFiles() []*Scenario {
	script := func() *kontinue.ScriptOptions {
		return &kontinue.ScriptOptions{Image: Image, Command: "cat " + greeting, Files: map[string]string{greeting: greetingText}}
	}
	cat := play(containers.Script{Do: func(_ context.Context, spec containers.Spec) containers.Exit {
		// Writing to a log never fails.
		_, _ = io.WriteString(spec.Log, spec.Files[greeting])
		return containers.Exit{}
	}}, scriptContainer)
	filler := strings.Repeat("# a line that makes the script long\n", 900<<10/36)
	return []*Scenario{
		{
			Name: "script-files", Shows: "a script reads one of its Files, and their Secret is deleted with the Job",
			Script: script(), Want: podSucceeds(),
			After: func(ctx context.Context, r *Run) error {
				return firstError(r.wantLogs(nil, greetingText), r.secretGoneWithJob(ctx))
			},
		},
		{
			Name: "script-long", Shows: "a script of 900 KiB runs",
			Script: &kontinue.ScriptOptions{Image: Image, Command: "echo begins\n" + filler[:900<<10-len("echo begins\necho ends\n")-1] + "\necho ends\n"},
			Want:   podSucceeds(),
			After:  func(_ context.Context, r *Run) error { return r.wantLogs(nil, "begins\nends\n") },
		},
		{
			Name: "script-files-resumed", Shows: "a worker ends between the creates of the Job and of the Secret of its Files; a resume creates it",
			Script: script(), Play: cat, Want: podSucceeds(), Earlier: func(ctx context.Context, r *Run) error { return r.endBeforeSecret(ctx) },
			After: func(_ context.Context, r *Run) error { return r.wantLogs(nil, greetingText) },
		},
		{
			Name: "script-files-forbidden", Shows: "the worker may not create the Secret of a script's Files",
			Script: script(), Play: cat, Without: &Right{Resource: "secrets", Verb: "create"},
			During: func(ctx context.Context, r *Run) error { return r.event(ctx, "FailedMount", "not found") },
			Want:   Want{ErrText: []string{"grant verb create on secrets", "deploy/rbac-optional.yaml", "which a resume creates"}},
		},
	}
}

// endBeforeSecret runs the step as a worker that ends when it is about to create the
// Secret, and waits until the kubelet misses that.
func (r *Run) endBeforeSecret(ctx context.Context) error {
	life, end := context.WithCancel(ctx)
	defer end()
	config := r.config
	config.OnProgress = nil
	config.RESTConfig = rest.CopyConfig(config.RESTConfig)
	config.RESTConfig.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			if request.Method == http.MethodPost && strings.HasSuffix(request.URL.Path, "/secrets") {
				end()
				return nil, context.Canceled
			}
			return next.RoundTrip(request)
		})
	})
	client, err := kontinue.New(config)
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	ktx, err := client.NewExecutionContext(life, r.Context.Execution())
	if err == nil {
		_, _, err = r.call(ktx)
	}
	if stopped := client.Stop(ctx); stopped != nil || !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the worker must end before it creates the Secret: %w", errors.Join(err, stopped))
	}
	return r.event(ctx, "FailedMount", "not found")
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// secretGoneWithJob deletes the Job and waits until its Secret is gone.
func (r *Run) secretGoneWithJob(ctx context.Context) error {
	job, err := r.job(ctx)
	if err != nil {
		return err
	}
	secrets := r.Admin.CoreV1().Secrets(r.Namespace)
	name := identity.SecretName(job.Name)
	if _, err := secrets.Get(ctx, name, metav1.GetOptions{}); err != nil {
		return err
	}
	r.noResume = true
	err = r.Admin.BatchV1().Jobs(r.Namespace).Delete(ctx, job.Name, metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationBackground)})
	if err != nil {
		return err
	}
	return eventually(ctx, func(ctx context.Context) (bool, error) {
		_, err := secrets.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return true, nil
		}
		return false, err
	})
}
