package kontinue_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue"
)

func owner() metav1.OwnerReference {
	return metav1.OwnerReference{APIVersion: "v1", Kind: "ConfigMap", Name: "deploy", UID: "7d0b5f0e"}
}

// newClient starts a client on client-go's fake clientset in the test's bubble.
func newClient(t *testing.T) (*kontinue.Client, *fake.Clientset) {
	t.Helper()
	clientset := fake.NewClientset()
	client, err := kontinue.New(kontinue.Config{Clientset: clientset, Namespace: "ns", SkipPreflight: true})
	require.NoError(t, err)
	require.NoError(t, client.Start(t.Context()))
	t.Cleanup(func() { require.NoError(t, client.Stop(context.Background())) })
	return client, clientset
}

func newExecution(t *testing.T, client *kontinue.Client) *kontinue.ExecutionContext {
	t.Helper()
	ktx, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: owner()})
	require.NoError(t, err)
	return ktx
}

// requireNoWrite requires that the informers' LIST and WATCH were the only requests.
func requireNoWrite(t *testing.T, clientset *fake.Clientset) {
	t.Helper()
	for _, a := range clientset.Actions() {
		require.Contains(t, []string{"list", "watch"}, a.GetVerb())
	}
}

func podSpec() corev1.PodSpec {
	return corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox:1"}}}
}

func jobSpec() batchv1.JobSpec {
	return batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: podSpec()}}
}

func TestBadInputIsRefusedBeforeAnyRequest(t *testing.T) {
	t.Parallel()
	job := func(change func(*kontinue.JobOptions)) func(*kontinue.ExecutionContext) error {
		return func(ktx *kontinue.ExecutionContext) error {
			opts := &kontinue.JobOptions{Spec: jobSpec()}
			change(opts)
			_, err := kontinue.RunJob(ktx, opts)
			return err
		}
	}
	pod := func(change func(*kontinue.PodOptions)) func(*kontinue.ExecutionContext) error {
		return func(ktx *kontinue.ExecutionContext) error {
			opts := &kontinue.PodOptions{Spec: podSpec()}
			change(opts)
			_, err := kontinue.RunPod(ktx, opts)
			return err
		}
	}
	script := func(opts *kontinue.ScriptOptions) func(*kontinue.ExecutionContext) error {
		return func(ktx *kontinue.ExecutionContext) error {
			_, err := kontinue.RunScript(ktx, opts)
			return err
		}
	}
	for name, tc := range map[string]struct {
		call func(*kontinue.ExecutionContext) error
		want string
	}{
		"nil job options":    {func(k *kontinue.ExecutionContext) error { _, err := kontinue.RunJob(k, nil); return err }, "options are nil"},
		"nil pod options":    {func(k *kontinue.ExecutionContext) error { _, err := kontinue.RunPod(k, nil); return err }, "options are nil"},
		"nil script options": {script(nil), "options are nil"},
		"nil execution context": {func(*kontinue.ExecutionContext) error {
			_, err := kontinue.RunJob(nil, &kontinue.JobOptions{})
			return err
		}, "ExecutionContext is nil"},
		"zero execution context": {func(*kontinue.ExecutionContext) error {
			_, err := kontinue.RunJob(&kontinue.ExecutionContext{}, &kontinue.JobOptions{})
			return err
		}, "not made by Client.NewExecutionContext"},
		"no image":            {script(&kontinue.ScriptOptions{Command: "true"}), "mage"},
		"blank image":         {script(&kontinue.ScriptOptions{Image: " ", Command: "true"}), "mage"},
		"no command":          {script(&kontinue.ScriptOptions{Image: "i"}), "ommand"},
		"huge command":        {script(&kontinue.ScriptOptions{Image: "i", Command: strings.Repeat("x", 900<<10+1)}), "921601 bytes"},
		"file without a path": {script(&kontinue.ScriptOptions{Image: "i", Command: "true", Files: map[string]string{"": "x"}}), "not absolute"},
		"file of the system":  {script(&kontinue.ScriptOptions{Image: "i", Command: "true", Files: map[string]string{"/proc/x": "x"}}), "/proc"},
		"huge file":           {script(&kontinue.ScriptOptions{Image: "i", Command: "true", Files: map[string]string{"/a": strings.Repeat("x", 900<<10+1)}}), "921601 bytes"},
		"file at the script":  {script(&kontinue.ScriptOptions{Image: "i", Command: strings.Repeat("x", 200<<10), Files: map[string]string{"/kontinue/script": "x"}}), "/kontinue/script"},
		"long without -c":     {script(&kontinue.ScriptOptions{Image: "i", Command: strings.Repeat("x", 200<<10), Shell: []string{"bash", "-ec"}}), "-c"},
		"reserved pod label":  {script(&kontinue.ScriptOptions{Image: "i", Command: "true", PodLabels: map[string]string{"kontinue.cloud/step": "x"}}), "reserved"},
		"pod label":           {pod(func(o *kontinue.PodOptions) { o.PodLabels = map[string]string{"k": "not/a/value"} }), "k"},
		"pod annotation":      {job(func(o *kontinue.JobOptions) { o.PodAnnotations = map[string]string{"a b": "x"} }), "a b"},
		"empty shell word":    {script(&kontinue.ScriptOptions{Image: "i", Command: "true", Shell: []string{""}}), "hell"},
		"no containers":       {pod(func(o *kontinue.PodOptions) { o.Spec.Containers = nil }), "containers"},
		"pod without an image": {pod(func(o *kontinue.PodOptions) {
			o.Spec.Containers[0].Image = ""
		}), "containers[0].image"},
		"restart policy Always": {job(func(o *kontinue.JobOptions) {
			o.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyAlways
		}), "restartPolicy"},
		"another namespace": {job(func(o *kontinue.JobOptions) {
			o.Spec.Template.Namespace = "elsewhere"
		}), "namespace"},
		"invalid label key":   {job(func(o *kontinue.JobOptions) { o.ExtraLabels = map[string]string{"not a key": "v"} }), "not a key"},
		"invalid label value": {job(func(o *kontinue.JobOptions) { o.ExtraLabels = map[string]string{"k": "not/a/value"} }), "k"},
		"reserved label": {job(func(o *kontinue.JobOptions) {
			o.ExtraLabels = map[string]string{"kontinue.cloud/step": "mine"}
		}), "kontinue.cloud/step"},
		"managed-by": {job(func(o *kontinue.JobOptions) {
			o.ExtraLabels = map[string]string{"app.kubernetes.io/managed-by": "helm"}
		}), "managed-by"},
		"reserved template label": {job(func(o *kontinue.JobOptions) {
			o.Spec.Template.Labels = map[string]string{"kontinue.cloud/worker-group": "mine"}
		}), "kontinue.cloud/worker-group"},
		"reserved annotation": {pod(func(o *kontinue.PodOptions) {
			o.ExtraAnnotations = map[string]string{"kontinue.cloud/outcome": "{}"}
		}), "kontinue.cloud/outcome"},
		"negative timeout": {pod(func(o *kontinue.PodOptions) { o.Timeout = -time.Second }), "imeout"},
		"negative backoffLimit": {job(func(o *kontinue.JobOptions) {
			o.Spec.BackoffLimit = ptr.To[int32](-1)
		}), "backoffLimit"},
		"step name of 64 characters": {pod(func(o *kontinue.PodOptions) { o.Name = strings.Repeat("x", 64) }), "63"},
		"step name in unicode":       {pod(func(o *kontinue.PodOptions) { o.Name = "schritt-ö" }), "schritt-ö"},
		"step name of the library":   {pod(func(o *kontinue.PodOptions) { o.Name = "step-1" }), "step-1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, clientset := newClient(t)
				err := tc.call(newExecution(t, client))
				require.ErrorIs(t, err, kontinue.ErrInvalid)
				require.ErrorContains(t, err, tc.want)
				requireNoWrite(t, clientset)
			})
		})
	}
}

func TestExecutionThatCannotBeAnOwnerIsRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, clientset := newClient(t)
		for name, tc := range map[string]struct {
			change func(*kontinue.Execution)
			want   string
		}{
			"no UID":          {func(e *kontinue.Execution) { e.Owner.UID = "" }, "Owner needs"},
			"no kind":         {func(e *kontinue.Execution) { e.Owner.Kind = "" }, "Owner needs"},
			"other namespace": {func(e *kontinue.Execution) { e.Namespace = "elsewhere" }, `not the client's "ns"`},
			"negative count":  {func(e *kontinue.Execution) { e.Attempts = -1 }, "negative"},
			"negative TTL":    {func(e *kontinue.Execution) { e.TTL = &metav1.Duration{Duration: -1} }, "TTL"},
			"unknown policy":  {func(e *kontinue.Execution) { e.ChildPolicy = "Sometimes" }, "Sometimes"},
		} {
			e := kontinue.Execution{Owner: owner()}
			tc.change(&e)
			_, err := client.NewExecutionContext(t.Context(), e)
			require.ErrorIs(t, err, kontinue.ErrInvalid, name)
			require.ErrorContains(t, err, tc.want, name)
			require.ErrorIs(t, client.Finish(t.Context(), e), kontinue.ErrInvalid, name)
			require.ErrorIs(t, client.Cancel(t.Context(), e), kontinue.ErrInvalid, name)
			_, err = client.Steps(t.Context(), e)
			require.ErrorIs(t, err, kontinue.ErrInvalid, name)
		}
		_, err := client.NewExecutionContext(nil, kontinue.Execution{Owner: owner()}) //nolint:staticcheck // a nil context is the case
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		requireNoWrite(t, clientset)
	})
}

func TestConfigIsValidated(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config kontinue.Config
		want   string
	}{
		"empty":             {kontinue.Config{}, "exactly one of RESTConfig and Clientset"},
		"two ways":          {kontinue.Config{Namespace: "ns", Clientset: fake.NewClientset(), RESTConfig: &rest.Config{}}, "exactly one"},
		"no namespace":      {kontinue.Config{Clientset: fake.NewClientset()}, "Namespace is empty"},
		"invalid namespace": {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "No_Name"}, `Namespace "No_Name"`},
		"several ways":      {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", Namespaces: []string{"a"}}, "only one of Namespace, Namespaces and AllNamespaces"},
		"all and one":       {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", AllNamespaces: true}, "only one of Namespace"},
		"all and a list":    {kontinue.Config{Clientset: fake.NewClientset(), Namespaces: []string{"a"}, AllNamespaces: true}, "only one of Namespace"},
		"an empty list":     {kontinue.Config{Clientset: fake.NewClientset(), Namespaces: []string{}}, "Namespace is empty"},
		"twice in the list": {kontinue.Config{Clientset: fake.NewClientset(), Namespaces: []string{"a", "b", "a"}}, `Namespaces[2] "a": it is in the list already`},
		"invalid in a list": {kontinue.Config{Clientset: fake.NewClientset(), Namespaces: []string{"a", ""}}, `Namespaces[1] "": `},
		"invalid group":     {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", Group: "a b"}, "Group"},
		"negative timeout":  {kontinue.Config{Clientset: fake.NewClientset(), Namespace: "ns", StopTimeout: -1}, "negative"},
		"broken RESTConfig": {kontinue.Config{RESTConfig: &rest.Config{Host: "http://a\nb"}, Namespace: "ns"}, "Config.RESTConfig"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := kontinue.New(tc.config)
			require.ErrorIs(t, err, kontinue.ErrInvalid)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestStepNamesStandForOneStep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, _ := newClient(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner()})
		require.NoError(t, err)
		ended := make(chan error, 2)
		for _, name := range []string{"", "build"} {
			go func() {
				_, err := kontinue.RunPod(ktx, &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: name}, Spec: podSpec()})
				ended <- err
			}()
		}
		synctest.Wait() // both wait for their Jobs

		_, err = kontinue.RunPod(ktx, &kontinue.PodOptions{Spec: podSpec()})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		require.ErrorContains(t, err, "in flight")
		_, err = kontinue.RunPod(ktx, &kontinue.PodOptions{StepOptions: kontinue.StepOptions{Name: "build"}, Spec: podSpec()})
		require.ErrorIs(t, err, kontinue.ErrInvalid)
		require.ErrorContains(t, err, "was used already")

		cause := errors.New("the worker shuts down")
		cancel(cause)
		for range 2 {
			err := <-ended
			require.ErrorIs(t, err, cause)
			require.ErrorContains(t, err, "still running")
		}
	})
}

func TestClientThatIsNotRunning(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		clientset := fake.NewClientset()
		client, err := kontinue.New(kontinue.Config{Clientset: clientset, Namespace: "ns"})
		require.NoError(t, err)
		ktx := newExecution(t, client)
		run := func() error {
			_, err := kontinue.RunPod(ktx, &kontinue.PodOptions{Spec: podSpec()})
			return err
		}
		require.ErrorIs(t, run(), kontinue.ErrNotRunning)
		require.ErrorContains(t, run(), "call Start first")

		require.NoError(t, client.Start(t.Context()))
		require.NoError(t, client.Start(t.Context()))
		waiting := make(chan error)
		go func() { waiting <- run() }()
		synctest.Wait()
		require.NoError(t, client.Stop(t.Context()))
		require.NoError(t, client.Stop(t.Context()))
		err = <-waiting
		require.ErrorIs(t, err, kontinue.ErrNotRunning)
		require.ErrorContains(t, err, "still running")
		require.ErrorIs(t, run(), kontinue.ErrNotRunning)
		require.ErrorIs(t, client.Start(t.Context()), kontinue.ErrNotRunning)
		list, err := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1, "Stop must leave the Jobs alone")
	})
}

func TestEndedContextSendsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, clientset := newClient(t)
		ctx, cancel := context.WithCancel(t.Context())
		ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner()})
		require.NoError(t, err)
		cancel()
		_, err = kontinue.RunScript(ktx, &kontinue.ScriptOptions{Image: "i", Command: "true"})
		require.ErrorIs(t, err, context.Canceled)
		requireNoWrite(t, clientset)
	})
}

// TestClientThatNewDidNotMake: every method returns an error.
func TestClientThatNewDidNotMake(t *testing.T) {
	t.Parallel()
	for _, client := range []*kontinue.Client{nil, {}} {
		_, err := client.NewExecutionContext(t.Context(), kontinue.Execution{Owner: owner()})
		for what, err := range map[string]error{
			"Start": client.Start(t.Context()), "Stop": client.Stop(t.Context()), "Healthy": client.Healthy(),
			"Finish": client.Finish(t.Context(), kontinue.Execution{Owner: owner()}),
			"Cancel": client.Cancel(t.Context(), kontinue.Execution{Owner: owner()}), "NewExecutionContext": err,
		} {
			require.ErrorIs(t, err, kontinue.ErrInvalid, what)
			require.ErrorContains(t, err, "not made by New", what)
		}
	}
}

// TestOptionsThatDifferInNothing: an unnamed step is resumed by the same function with a
// default spelled out, or with its variables in another order.
func TestOptionsThatDifferInNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, clientset := newClient(t)
		spec := jobSpec()
		spec.Template.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "2"}}
		run := func(spec batchv1.JobSpec) error {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			ktx, err := client.NewExecutionContext(ctx, kontinue.Execution{Owner: owner()})
			require.NoError(t, err)
			_, err = kontinue.RunJob(ktx, &kontinue.JobOptions{Spec: spec})
			return err
		}
		for _, change := range []func(*batchv1.JobSpec){
			func(*batchv1.JobSpec) {},
			func(s *batchv1.JobSpec) { s.Suspend = new(false) },
			func(s *batchv1.JobSpec) { s.Template.Spec.RestartPolicy = corev1.RestartPolicyNever },
			func(s *batchv1.JobSpec) { slices.Reverse(s.Template.Spec.Containers[0].Env) },
		} {
			same := *spec.DeepCopy()
			change(&same)
			require.ErrorIs(t, run(same), context.DeadlineExceeded, "the step waits for its Job")
		}
		other := *spec.DeepCopy()
		other.Template.Spec.Containers[0].Env[0].Value = "3"
		require.ErrorIs(t, run(other), kontinue.ErrSpecDrift)
		list, err := clientset.BatchV1().Jobs("ns").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
	})
}
