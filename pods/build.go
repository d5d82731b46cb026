package pods

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	// MaxScriptBytes is the longest command text [ScriptSpec] accepts, in bytes.
	// Linux gives one argument of a new process at most MAX_ARG_STRLEN = 131072
	// bytes, its closing NUL included; a longer one ends as "argument list too
	// long" inside the container.
	MaxScriptBytes = 128*1024 - 1

	// scriptContainer names the one container of a script's pod.
	scriptContainer = "script"
)

// ErrScriptTooLong says that a script's command text is over [MaxScriptBytes].
var ErrScriptTooLong = errors.New("script too long")

// DefaultShell returns the shell that runs a script whose Shell is empty:
// /bin/sh -c. Each call returns a new slice.
func DefaultShell() []string { return []string{"/bin/sh", "-c"} }

// Script is a command text and the container that runs it.
type Script struct {
	// Image is the container image. Required.
	Image string
	// Command is the text given to the shell, unchanged, as its last argument.
	// Required; at most [MaxScriptBytes] bytes of UTF-8 without NUL.
	Command string
	// Shell is the program and the arguments before the text. Default:
	// [DefaultShell].
	Shell []string
}

// ScriptSpec returns the pod spec that runs s: one container named "script"
// whose command is the shell followed by the command text.
//
// Kubernetes expands $(NAME) in a container's command before it starts (API
// doc of Container.Command). ScriptSpec escapes shell and text so that both
// reach the process byte for byte: $(date) is the shell's, and so is $$.
//
// The error says which field is wrong; it is [ErrScriptTooLong] when the text
// does not fit in one argument.
func ScriptSpec(s Script) (corev1.PodSpec, error) {
	if err := s.validate(); err != nil {
		return corev1.PodSpec{}, err
	}
	shell := s.Shell
	if len(shell) == 0 {
		shell = DefaultShell()
	}
	command := make([]string, 0, len(shell)+1)
	for _, word := range shell {
		command = append(command, escapeExpansion(word))
	}
	command = append(command, escapeExpansion(s.Command))
	return corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers: []corev1.Container{{
			Name:    scriptContainer,
			Image:   s.Image,
			Command: command,
		}},
	}, nil
}

// validate never quotes the text: scripts may hold secrets.
func (s Script) validate() error {
	switch {
	case strings.TrimSpace(s.Image) == "":
		return errors.New("script: Image is empty: name the container image that holds the shell")
	case strings.TrimSpace(s.Image) != s.Image:
		return fmt.Errorf("script: Image %q begins or ends with white space", s.Image)
	case strings.TrimSpace(s.Command) == "":
		return errors.New("script: Command is empty: there is nothing to run")
	case len(s.Command) > MaxScriptBytes:
		return fmt.Errorf("script: %w: Command has %d bytes, one argument of a Linux process holds %d: "+
			"put the script in the image or in a ConfigMap volume and run it by its path",
			ErrScriptTooLong, len(s.Command), MaxScriptBytes)
	}
	if err := transportable("Image", s.Image); err != nil {
		return err
	}
	if err := transportable("Command", s.Command); err != nil {
		return err
	}
	for i, word := range s.Shell {
		field := fmt.Sprintf("Shell[%d]", i)
		if word == "" {
			return fmt.Errorf("script: %s is empty: leave Shell empty for the default, or remove the element", field)
		}
		if len(word) > MaxScriptBytes {
			return fmt.Errorf("script: %s: %w", field, ErrScriptTooLong)
		}
		if err := transportable(field, word); err != nil {
			return err
		}
	}
	return nil
}

// transportable refuses what cannot arrive unchanged: an argument ends at a
// NUL, and the API's JSON replaces bytes that are not UTF-8.
func transportable(field, text string) error {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return fmt.Errorf("script: %s has a NUL byte at offset %d: no process argument can hold one", field, i)
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("script: %s is not valid UTF-8: the Kubernetes API would change it; encode it, for example as base64", field)
	}
	return nil
}

// escapeExpansion returns a string that Kubernetes' expansion turns back into
// text. The expansion reads "$$" as "$" and "$(NAME)" as a reference, and
// leaves any other "$" alone; so only a dollar before a dollar or before an
// opening parenthesis is doubled, and most scripts stay readable as they are.
func escapeExpansion(text string) string {
	if !strings.Contains(text, "$(") && !strings.Contains(text, "$$") {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	for i := 0; i < len(text); i++ {
		b.WriteByte(text[i])
		if text[i] == '$' && i+1 < len(text) && (text[i+1] == '$' || text[i+1] == '(') {
			b.WriteByte('$')
		}
	}
	return b.String()
}

// JobSpec returns the Job that runs pod once: restartPolicy Never, one
// completion, one pod at a time, backoffLimit 0. It shares what pod refers to.
//
// podReplacementPolicy is Failed (KEP-3939). With backoffLimit 0 neither policy
// makes a second pod when the first is deleted or evicted, but they judge that
// pod differently. By the default, TerminatingOrFailed, a pod counts as failed
// as soon as its deletion begins, and loses its tracking finalizer while it
// still runs: its exit code may never be seen, and a container that then ends
// well leaves a Failed Job with a Succeeded pod. By Failed the pod is counted
// once it has ended, by how it ended, and is kept until it is counted. Servers
// before 1.28 drop the field and use the default.
//
// A pod is made a second time only for reasons outside this spec: the Job is
// suspended and resumed, or someone strips the pod's finalizer and deletes it.
func JobSpec(pod corev1.PodSpec) batchv1.JobSpec {
	pod.RestartPolicy = corev1.RestartPolicyNever
	return batchv1.JobSpec{
		Parallelism:          new(int32(1)),
		Completions:          new(int32(1)),
		BackoffLimit:         new(int32(0)),
		PodReplacementPolicy: new(batchv1.Failed),
		Template:             corev1.PodTemplateSpec{Spec: pod},
	}
}
