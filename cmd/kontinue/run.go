package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/tools/clientcmd"
)

// defaultTail is how many lines are printed of the log of a run that has ended before.
const defaultTail = 100

// runOptions are the flags of run.
type runOptions struct {
	loading   *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides

	name           string
	image          string
	env            []string
	serviceAccount string
	timeout        time.Duration
	tail           int64
	retry          bool
	remove         bool
}

// newRun returns the command that runs a step.
func newRun(t terminal) *cobra.Command {
	o := &runOptions{loading: clientcmd.NewDefaultClientConfigLoadingRules()}
	cmd := &cobra.Command{
		Use:   "run --image IMAGE [--name NAME] [flags] [-- COMMAND [ARG...]]",
		Short: "Run a command in a container, as a Job, and wait for it",
		Long: `Run a command in a container, as a Kubernetes Job, and wait for it.

The log of the container is written to stdout, and what happens to the Job to stderr. The
exit code is that of the container. It is 125 if there is none: the Job was refused, its
container could not start, it was evicted. Without a COMMAND the image's own runs. Stdin is
not attached.

The same call with the same --name returns to the Job: it waits for a Job that is running
and writes its log from the first line, and of one that has ended it prints the log's end
and the recorded result, and nothing runs again. Another image, command or environment
under that name is refused. A failed one runs again with --retry.

Ctrl-C detaches after two seconds, with exit code 130: the Job keeps running. Ctrl-C twice
stops the Job and waits for its end. SIGTERM detaches at once.

The Job is owned by a ConfigMap named NAME, which has the label
app.kubernetes.io/managed-by=kontinue-run, and is deleted with it:
kubectl delete configmap NAME. With --rm that is done at the end.`,
		Example: `  NAME run --image busybox -- sh -c 'echo hello; exit 3'
  NAME run --name nightly --image example.com/backup:1 --env TARGET=s3://backups --timeout 1h
  NAME run --name nightly --image example.com/backup:1 --env TARGET=s3://backups --timeout 1h --retry`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 && cmd.ArgsLenAtDash() != 0 {
				return fmt.Errorf("put -- before the command: %s -- COMMAND [ARG...]", cmd.CommandPath())
			}
			return o.run(cmd.Context(), t, args)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&o.name, "name", "", "the `name` of the run, by which the same call finds it again (default: a random one)")
	flags.StringVar(&o.image, "image", "", "the container `image` (required)")
	flags.StringArrayVarP(&o.env, "env", "e", nil, "an environment variable, as `KEY=VALUE`, or KEY with the value that it has here; it is stored in the Job as it is, so use Secrets for secrets")
	flags.StringVar(&o.serviceAccount, "service-account", "", "the `name` of the pod's ServiceAccount")
	flags.DurationVar(&o.timeout, "timeout", 0, "stop the Job after this `duration`, such as 10m; it counts without this program, too")
	flags.Int64Var(&o.tail, "tail", defaultTail, "how many `lines` to print of the log of a run that had ended before; -1 for all")
	flags.BoolVar(&o.retry, "retry", false, "run it again if the run of this name has failed")
	flags.BoolVar(&o.remove, "rm", false, "delete the ConfigMap, and so the Job and its pod, when the run has ended")
	bindKubeconfig(flags, o.loading, &o.overrides)
	return cmd
}

// bindKubeconfig adds the flags that each command of kubectl has.
func bindKubeconfig(flags *pflag.FlagSet, loading *clientcmd.ClientConfigLoadingRules, overrides *clientcmd.ConfigOverrides) {
	flags.StringVar(&loading.ExplicitPath, clientcmd.RecommendedConfigPathFlag, "", "the kubeconfig `file` (default: that of $KUBECONFIG, or ~/.kube/config)")
	clientcmd.BindOverrideFlags(overrides, flags, clientcmd.RecommendedConfigOverrideFlags(""))
}

// check fills in the name and refuses what cannot work.
func (o *runOptions) check() error {
	var errs []error
	if o.image == "" {
		errs = append(errs, errors.New("--image is required"))
	}
	if o.name == "" {
		if o.retry {
			errs = append(errs, errors.New("--retry needs the --name of the run that has failed"))
		}
		o.name = "run-" + rand.String(5)
	}
	if problems := validation.IsDNS1123Subdomain(o.name); len(problems) > 0 {
		errs = append(errs, fmt.Errorf("--name %q: %s", o.name, strings.Join(problems, "; ")))
	}
	if o.timeout < 0 {
		errs = append(errs, fmt.Errorf("--timeout %s is negative", o.timeout))
	}
	if o.tail < -1 {
		errs = append(errs, fmt.Errorf("--tail %d: want a number of lines, or -1 for all", o.tail))
	}
	return errors.Join(errs...)
}

// pod returns the pod that runs the command.
func (o *runOptions) pod(command []string) (corev1.PodSpec, error) {
	env, err := o.variables()
	return corev1.PodSpec{
		ServiceAccountName: o.serviceAccount,
		Containers:         []corev1.Container{{Name: "main", Image: o.image, Command: command, Env: env}},
	}, err
}

// variables returns those of --env. Errors have no values in them.
func (o *runOptions) variables() ([]corev1.EnvVar, error) {
	var all []corev1.EnvVar
	for _, entry := range o.env {
		key, value, given := strings.Cut(entry, "=")
		if problems := validation.IsEnvVarName(key); len(problems) > 0 {
			return nil, fmt.Errorf("--env %s: %s", key, strings.Join(problems, "; "))
		}
		if !given {
			var exists bool
			if value, exists = os.LookupEnv(key); !exists {
				return nil, fmt.Errorf("--env %s: it is not set here; pass %s=VALUE", key, key)
			}
		}
		all = append(all, corev1.EnvVar{Name: key, Value: value})
	}
	return all, nil
}
