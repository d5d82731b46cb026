package input_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue"
)

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
