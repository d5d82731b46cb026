package redact_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/kontinue/kontinue/internal/redact"
)

func job(change func(*corev1.Container)) *batchv1.Job {
	c := corev1.Container{Name: "main", Image: "alpine:3.19"}
	change(&c)
	return &batchv1.Job{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "j"},
		Spec:       batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{c}}}},
	}
}

// canaried puts a secret into every field of a container that may hold one.
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
		"path": func(c *corev1.Container) {
			c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: secret}}}
		},
		"header": func(c *corev1.Container) {
			c.ReadinessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: get()}}
		},
		"pre-stop": func(c *corev1.Container) {
			c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Exec: run()}}
		},
	}
}

// TestSecretsAreHidden: in every field of the template, and in every form of quoting.
func TestSecretsAreHidden(t *testing.T) {
	t.Parallel()
	asJSON := func(s string) string {
		raw, err := json.Marshal(s)
		require.NoError(t, err)
		return string(raw)
	}
	for _, secret := range []string{"hunter2-canary", `q"u\o<t>é&d-canary`, "two lines\nof-the-canary", "x7-canary"} {
		for where, put := range canaried(secret) {
			secrets := redact.Of(job(put))
			for how, text := range map[string]string{
				"as it is":    secret,
				"%q":          strconv.Quote(secret),
				"%+q":         strconv.QuoteToASCII(secret),
				"%v":          fmt.Sprint([]string{"sh", secret}),
				"JSON":        asJSON(secret),
				"JSON twice":  asJSON(asJSON(secret)),
				"YAML's line": "    " + strings.ReplaceAll(secret, "\n", "\n    "),
			} {
				got := secrets.Hide("denied by policy: " + text + " of container main")
				require.NotContains(t, got, "canary", "%s, %s", where, how)
				require.Contains(t, got, "[redacted]")
				require.True(t, strings.HasSuffix(got, " of container main"), got)
			}
		}
	}
}

// TestWordsOfTheAPIAreNoSecrets: an error about a quota stays readable whatever the
// values of a template are.
func TestWordsOfTheAPIAreNoSecrets(t *testing.T) {
	t.Parallel()
	const text = `jobs.batch "deploy" is forbidden: exceeded quota: small, requested: count/jobs.batch=1, used: count/jobs.batch=5, limited: count/jobs.batch=5`
	secrets := redact.Of(job(func(c *corev1.Container) {
		c.Args = []string{"jobs", "--what=limit", "batch", "count", "quota", "exceeded", "used", "--port=http"}
		c.LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/healthz", Host: "deploy", Scheme: "HTTP"}}}
	}))
	require.Equal(t, text, secrets.Hide(text))
}

// TestShortValuesAreHiddenAsWords: the rest of the text stays readable.
func TestShortValuesAreHiddenAsWords(t *testing.T) {
	t.Parallel()
	const text = `spinning pin "pin" in 11 s of true in ns/j`
	for value, want := range map[string]string{
		"pin":  `spinning [redacted] "[redacted]" in 11 s of true in ns/j`,
		"11":   text,
		"true": text,
		"ns":   text,
		"j":    text,
		"":     text,
	} {
		secrets := redact.Of(job(func(c *corev1.Container) { c.Args = []string{value} }))
		require.Equal(t, want, secrets.Hide(text), value)
	}
}

func TestNamesAreNotSecrets(t *testing.T) {
	t.Parallel()
	secrets := redact.Of(job(func(c *corev1.Container) {
		c.Env = []corev1.EnvVar{{Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "database"}}}}
	}))
	require.Empty(t, secrets)
	require.True(t, redact.Hidden("env"))
	require.False(t, redact.Hidden("image"))
}

// TestValidationErrorKeepsFieldAndReason and leaves out every value of the pod
// template, since the server quotes values that it has defaulted or cut, too.
func TestValidationErrorKeepsFieldAndReason(t *testing.T) {
	t.Parallel()
	env := field.NewPath("spec", "template", "spec", "containers").Index(0).Child("env").Index(0)
	err := apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, "j", field.ErrorList{
		field.Invalid(env.Child("name"), "a=canary", "must not contain '='"),
		field.Invalid(field.NewPath("spec", "template"), map[string]any{"env": []any{"canary"}}, "field is immutable"),
		field.NotSupported(env.Child("fieldRef"), "canary", []string{"metadata.name"}),
		field.Duplicate(env.Child("name"), "canary"),
		field.Required(env.Child("name"), "name it"),
		field.Invalid(field.NewPath("spec", "completions"), -1, "must be greater than or equal to 0"),
	})
	text := redact.Secrets(nil).ErrorText(fmt.Errorf("wrapped: %w", err))
	require.NotContains(t, text, "canary")
	for _, want := range []string{
		"spec.template.spec.containers[0].env[0].name: Invalid value: must not contain '='",
		"spec.template: Invalid value: field is immutable",
		"env[0].name: Required value: name it",
		"env[0].name: Duplicate value",
		"spec.completions: Invalid value: -1: must be greater than or equal to 0",
		`Job.batch "j" is invalid`,
	} {
		require.Contains(t, text, want)
	}
	// What follows an unquoted value cannot be found, and is left out with it.
	cause := metav1.StatusCause{Field: "spec.template", Message: `Invalid value: map["env":"canary"]: x`}
	odd := &apierrors.StatusError{ErrStatus: metav1.Status{
		Code: 422, Reason: metav1.StatusReasonInvalid, Details: &metav1.StatusDetails{Causes: []metav1.StatusCause{cause}},
	}}
	require.NotContains(t, redact.Secrets(nil).ErrorText(odd), "canary")
}

// TestOtherErrorsKeepTheirText: except for the secrets.
func TestOtherErrorsKeepTheirText(t *testing.T) {
	t.Parallel()
	secrets := redact.Of(job(func(c *corev1.Container) { c.Args = []string{"hunter2-canary"} }))
	require.Equal(t, "connection refused by [redacted]", secrets.ErrorText(errors.New("connection refused by hunter2-canary")))
	outside := apierrors.NewInvalid(schema.GroupKind{Group: "batch", Kind: "Job"}, "j", field.ErrorList{
		field.Invalid(field.NewPath("spec", "completions"), -1, "must be positive"),
	})
	require.Equal(t, outside.Error(), secrets.ErrorText(outside))
}
