package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	authenticationv1 "k8s.io/api/authentication/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kontinue/kontinue/internal/preflight"
	"github.com/kontinue/kontinue/pods"
)

// maxSkew is how far the clocks of this machine and of the API server may be apart before
// it is pointed out. The answer has whole seconds.
const maxSkew = 5 * time.Second

// preflightOptions are the flags of preflight.
type preflightOptions struct {
	loading   *clientcmd.ClientConfigLoadingRules
	overrides clientcmd.ConfigOverrides

	all            bool
	image          string
	serviceAccount string
}

// newPreflight returns the command that says whether a worker could run steps.
func newPreflight(t terminal) *cobra.Command {
	o := &preflightOptions{loading: clientcmd.NewDefaultClientConfigLoadingRules()}
	cmd := &cobra.Command{
		Use:   "preflight [flags]",
		Short: "Check whether a worker could run steps in a namespace, without running one",
		Long: `Check whether a worker could run steps in a namespace, without running one.

It asks the API server for each right that a worker needs or can use, has it check a Job
and the Job's pod without creating them (a server-side dry run, with all admission: quotas,
Pod Security, webhooks), and compares the clocks. A dry run of a pod needs the right to
create pods, which a worker does not.

Call it as the worker: with its kubeconfig, or with --as
system:serviceaccount:NAMESPACE:NAME. The exit code is 1 if something would fail, and 125 if
that cannot be found out.`,
		Example: `  NAME preflight --namespace team-a
  NAME preflight --as system:serviceaccount:team-a:kontinue-worker -n team-a`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), t.out) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.all, "all-namespaces", "A", false, "check a worker of all namespaces; the Job is checked in that of the context")
	flags.StringVar(&o.image, "image", "busybox", "the `image` of the pod that is checked")
	flags.StringVar(&o.serviceAccount, "service-account", "", "the ServiceAccount of the pod that is checked, by `name`")
	bindKubeconfig(flags, o.loading, &o.overrides)
	return cmd
}

func (o *preflightOptions) run(ctx context.Context, out io.Writer) error {
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(o.loading, &o.overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return err
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return err
	}
	clock := &serverClock{}
	config.Wrap(clock.wrap)
	config.QPS = -1 // a few questions at once
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	p := &preflightRun{client: client, namespace: namespace, table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if err := p.about(ctx, config, clock); err != nil {
		return err
	}
	if err := p.rights(ctx, o.all); err != nil {
		return err
	}
	if err := p.dryRun(ctx, o); err != nil {
		return err
	}
	if err := p.table.Flush(); err != nil {
		return err
	}
	switch {
	case p.missing != nil:
		return &exitError{1, p.missing}
	case p.failed:
		return &exitError{code: 1}
	}
	return nil
}

// preflightRun is one check, whose findings are lines of a table.
type preflightRun struct {
	client    kubernetes.Interface
	namespace string
	table     *tabwriter.Writer
	failed    bool
	missing   error // the required rights that are missing
}

func (p *preflightRun) linef(what, state, format string, args ...any) {
	fmt.Fprintf(p.table, "%s\t%s\t%s\n", what, state, fmt.Sprintf(format, args...))
}

// about says where the cluster is, who asks, and how late it is there.
func (p *preflightRun) about(ctx context.Context, config *rest.Config, clock *serverClock) error {
	version, err := p.client.Discovery().ServerVersion()
	if err != nil {
		return fmt.Errorf("the API server at %s does not answer: %w", config.Host, err)
	}
	p.linef("API server", "ok", "%s, Kubernetes %s", config.Host, version.GitVersion)
	if review, err := p.client.AuthenticationV1().SelfSubjectReviews().Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{}); err == nil {
		user, as := review.Status.UserInfo.Username, config.Impersonate.UserName
		if as != "" && user != as {
			// As of a cluster in memory: all that follows would be said of the wrong user.
			return fmt.Errorf("the API server at %s takes the requests as %s for those of %s: it does not act on impersonation", config.Host, as, user)
		}
		p.linef("user", "ok", "%s", user)
	}
	skew, known := clock.skew()
	switch {
	case !known:
		p.linef("clock", "unknown", "the API server's answers have no date")
	case skew.Abs() > maxSkew:
		p.linef("clock", "warning", "this machine is %s off the API server: certificates and tokens may be refused; steps do not depend on it", skew.Abs().Round(time.Second))
	default:
		p.linef("clock", "ok", "within %s of the API server's", maxSkew)
	}
	return nil
}

// rights lists the rights of a worker.
func (p *preflightRun) rights(ctx context.Context, all bool) error {
	namespaces, place := []string{p.namespace}, "in namespace "+p.namespace
	if all {
		namespaces, place = nil, "in all namespaces"
	}
	rights := append(append(preflight.Worker(), preflight.ListEvents, preflight.CreateEvents), preflight.Features()...)
	denied, err := preflight.Check(ctx, p.client, namespaces, rights)
	if err != nil {
		return err
	}
	lacks := map[preflight.Right]bool{}
	for _, d := range denied {
		lacks[d.Right] = true
	}
	for _, r := range rights {
		switch {
		case !lacks[r]:
			p.linef(r.String(), "ok", "%s", place)
		case r.Optional():
			p.linef(r.String(), "optional", "is missing %s: %s", place, r.Without)
		default:
			p.linef(r.String(), "MISSING", "%s", place)
		}
	}
	_, p.missing = preflight.Split(ctx, p.client, denied)
	return nil
}

// dryRun has the API server check a Job and its pod.
func (p *preflightRun) dryRun(ctx context.Context, o *preflightOptions) error {
	spec, err := pods.ScriptSpec(pods.Script{Image: o.image, Command: "true"})
	if err != nil {
		return err
	}
	spec.ServiceAccountName = o.serviceAccount
	meta := metav1.ObjectMeta{GenerateName: "kontinue-preflight-"}
	dry := metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}}
	job := &batchv1.Job{ObjectMeta: meta, Spec: pods.JobSpec(spec)}
	created, err := p.client.BatchV1().Jobs(p.namespace).Create(ctx, job, dry)
	p.verdict("dry run of a Job", err)

	create := preflight.Right{Verb: "create", Resource: "pods"}
	denied, asked := preflight.Check(ctx, p.client, []string{p.namespace}, []preflight.Right{create})
	if asked != nil {
		return asked
	}
	if len(denied) > 0 {
		p.linef("dry run of its pod", "unknown", "needs the right to %s in namespace %s: Pod Security, quotas of pods and webhooks for pods were not checked", create, p.namespace)
		return nil
	}
	pod := &corev1.Pod{ObjectMeta: meta, Spec: job.Spec.Template.Spec}
	if err == nil {
		pod.Labels, pod.Spec = created.Spec.Template.Labels, created.Spec.Template.Spec
	}
	_, err = p.client.CoreV1().Pods(p.namespace).Create(ctx, pod, dry)
	p.verdict("dry run of its pod", err)
	return nil
}

func (p *preflightRun) verdict(what string, err error) {
	if err == nil {
		p.linef(what, "ok", "in namespace %s", p.namespace)
		return
	}
	p.failed = true
	p.linef(what, "REFUSED", "%v", err)
}

// serverClock reads the clock of the API server from its answers.
type serverClock struct {
	mu    sync.Mutex
	ahead time.Duration
	known bool
}

// wrap returns a transport that looks at the date of each answer.
func (c *serverClock) wrap(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		res, err := next.RoundTrip(req)
		if err != nil {
			return res, err
		}
		if date, parseErr := http.ParseTime(res.Header.Get("Date")); parseErr == nil {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.ahead, c.known = time.Since(date), true
		}
		return res, nil
	})
}

// skew is how far this machine's clock is ahead, and whether that is known.
func (c *serverClock) skew() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead, c.known
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
