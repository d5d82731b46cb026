package jobs_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kontinue/kontinue/jobs"
)

// canaried puts a secret wherever a pod template may hold one.
func canaried(secret string) map[string]func(*corev1.Container) {
	run := func() *corev1.ExecAction { return &corev1.ExecAction{Command: []string{"sh", secret}} }
	get := func() *corev1.HTTPGetAction {
		return &corev1.HTTPGetAction{HTTPHeaders: []corev1.HTTPHeader{{Name: "Authorization", Value: secret}}}
	}
	return map[string]func(*corev1.Container){
		"env":     func(c *corev1.Container) { c.Env = []corev1.EnvVar{{Name: "TOKEN", Value: secret}} },
		"args":    func(c *corev1.Container) { c.Args = []string{secret} },
		"flag":    func(c *corev1.Container) { c.Args = []string{"--token=" + secret} },
		"command": func(c *corev1.Container) { c.Command = []string{secret} },
		"probe": func(c *corev1.Container) {
			c.StartupProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: run()}}
		},
		"header": func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: get()}}
		},
		"pre-stop": func(c *corev1.Container) {
			c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: run()}}
		},
	}
}

// TestNoSecretInTheErrorOfARefusedCreate: however the answer quotes it.
func TestNoSecretInTheErrorOfARefusedCreate(t *testing.T) {
	t.Parallel()
	asJSON := func(s string) string {
		raw, err := json.Marshal(s)
		require.NoError(t, err)
		return string(raw)
	}
	for _, secret := range []string{"hunter2-canary", `q"u\o<t>é&d-canary`, "two lines\nof-the-canary", "x7-canary"} {
		for where, put := range canaried(secret) {
			request := changed(func(r *jobs.Request) { put(&r.Spec.Template.Spec.Containers[0]) })
			for how, text := range map[string]string{
				"as it is":    secret,
				"%q":          strconv.Quote(secret),
				"%+q":         strconv.QuoteToASCII(secret),
				"%v":          fmt.Sprint([]string{"sh", secret}),
				"JSON":        asJSON(secret),
				"JSON twice":  asJSON(asJSON(secret)),
				"YAML's line": "    " + strings.ReplaceAll(secret, "\n", "\n    "),
			} {
				answer := status(403, metav1.StatusReasonForbidden, "denied by policy: "+text+" of container main")
				c := newCluster()
				c.fail("create", answer)
				_, err := jobs.NewClient(c, jobs.Options{}).Ensure(t.Context(), request)
				require.ErrorIs(t, err, answer)
				require.NotContains(t, err.Error(), "canary", "%s, %s", where, how)
				require.ErrorContains(t, err, "[redacted]")
				require.ErrorContains(t, err, "of container main")
			}
		}
	}
}

// TestShortValuesAreHiddenAsWords: and do not eat the rest of the text.
func TestShortValuesAreHiddenAsWords(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"pin":  `spinning [redacted] "[redacted]" in 11 s of true`,
		"11":   `spinning pin "pin" in 11 s of true`,
		"true": `spinning pin "pin" in 11 s of true`,
	} {
		request := changed(func(r *jobs.Request) { r.Spec.Template.Spec.Containers[0].Args = []string{value} })
		c := newCluster()
		c.fail("create", status(400, metav1.StatusReasonBadRequest, `spinning pin "pin" in 11 s of true`))
		_, err := jobs.NewClient(c, jobs.Options{}).Ensure(t.Context(), request)
		require.ErrorContains(t, err, want)
	}
}

// TestValidationErrorKeepsFieldAndReason and leaves out every value of the pod
// template, since the server quotes also what it has defaulted or cut.
func TestValidationErrorKeepsFieldAndReason(t *testing.T) {
	t.Parallel()
	env := field.NewPath("spec", "template", "spec", "containers").Index(0).Child("env").Index(0)
	faults := field.ErrorList{
		field.Invalid(env.Child("name"), "a=canary", "must not contain '='"),
		field.Invalid(field.NewPath("spec", "template"), map[string]any{"env": []any{"canary"}}, "field is immutable"),
		field.NotSupported(env.Child("fieldRef"), "canary", []string{"metadata.name"}),
		field.Duplicate(env.Child("name"), "canary"),
		field.Required(env.Child("name"), "name it"),
		field.Invalid(field.NewPath("spec", "completions"), -1, "must be greater than or equal to 0"),
	}
	c := newCluster()
	c.fail("create", apierrors.NewInvalid(batchKind, "j", faults))
	_, err := jobs.NewClient(c, jobs.Options{}).Ensure(t.Context(), request())
	require.NotContains(t, err.Error(), "canary")
	for _, want := range []string{
		"spec.template.spec.containers[0].env[0].name: Invalid value: must not contain '='",
		"spec.template: Invalid value: field is immutable",
		"env[0].name: Required value: name it",
		"env[0].name: Duplicate value",
		"spec.completions: Invalid value: -1: must be greater than or equal to 0",
		`Job.batch "j" is invalid`,
	} {
		require.ErrorContains(t, err, want)
	}
	var api *jobs.APIError
	require.ErrorAs(t, err, &api)
	require.True(t, apierrors.IsInvalid(err))
}
