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
	// maxScriptBytes is the maximum length of a command text that [ScriptSpec]
	// accepts, in bytes. Linux limits one argument of a new process to
	// MAX_ARG_STRLEN = 131072 bytes including its terminating NUL; a longer one
	// fails in the container with "argument list too long".
	maxScriptBytes = 128*1024 - 1

	// scriptContainer names the one container of a script's pod.
	scriptContainer = "script"
)

// ErrScriptTooLong is wrapped by the error of [ScriptSpec] if the command text or
// an element of the shell exceeds 128 KiB - 1.
var ErrScriptTooLong = errors.New("script too long")

// defaultShell returns the default of [Script.Shell]: "/bin/sh", "-c". Each call
// returns a new slice.
func defaultShell() []string { return []string{"/bin/sh", commandFlag} }

// commandFlag makes a shell take its next argument as the text of a script. Without it a
// shell takes that for the path of one.
const commandFlag = "-c"

// Script is a command text and the container that runs it.
type Script struct {
	// Image is the container image. Required.
	Image string
	// Command is the text that the shell receives unchanged as its last argument.
	// Required; at most 128 KiB - 1 bytes of valid UTF-8 without NUL.
	Command string
	// Shell is the program and its arguments before Command. Default:
	// "/bin/sh", "-c".
	Shell []string
	// Path, if set, is where the container has Command as a file. The shell is started
	// with the path instead of the text, and without its last argument, which must be
	// "-c". The text may then be longer than an argument. Default: "".
	Path string
}

// ScriptSpec returns the pod spec that runs s: one container named "script"
// whose command is the shell followed by the command text.
//
// Kubernetes expands $(NAME) in a container's command before it starts the
// container (see the API documentation of Container.Command). ScriptSpec escapes
// the shell and the text, so that both reach the process byte for byte and $(date)
// and $$ are expanded by the shell.
//
// The error names the invalid field. It wraps [ErrScriptTooLong] if a text does
// not fit into one process argument.
func ScriptSpec(s Script) (corev1.PodSpec, error) {
	if err := s.validate(); err != nil {
		return corev1.PodSpec{}, err
	}
	shell := s.Shell
	if len(shell) == 0 {
		shell = defaultShell()
	}
	last := s.Command
	if s.Path != "" {
		shell, last = shell[:len(shell)-1], s.Path
	}
	command := make([]string, 0, len(shell)+1)
	for _, word := range shell {
		command = append(command, escapeExpansion(word))
	}
	command = append(command, escapeExpansion(last))
	return corev1.PodSpec{
		RestartPolicy: corev1.RestartPolicyNever,
		Containers: []corev1.Container{{
			Name:    scriptContainer,
			Image:   s.Image,
			Command: command,
		}},
	}, nil
}

// validate never quotes the command text, which may contain secrets.
func (s Script) validate() error {
	switch {
	case strings.TrimSpace(s.Image) == "":
		return errors.New("script: Image is empty: name the container image that holds the shell")
	case strings.TrimSpace(s.Image) != s.Image:
		return fmt.Errorf("script: Image %q begins or ends with white space", s.Image)
	case strings.TrimSpace(s.Command) == "":
		return errors.New("script: Command is empty: there is nothing to run")
	case s.Path == "" && len(s.Command) > maxScriptBytes:
		return fmt.Errorf("script: %w: Command has %d bytes, but a process argument on Linux holds at most %d: "+
			"put the script in the image or in a ConfigMap volume and run it by its path",
			ErrScriptTooLong, len(s.Command), maxScriptBytes)
	}
	if err := transportable("Image", s.Image); err != nil {
		return err
	}
	if err := transportable("Command", s.Command); err != nil {
		return err
	}
	if n := len(s.Shell); s.Path != "" && n > 0 && (n == 1 || s.Shell[n-1] != commandFlag) {
		return fmt.Errorf("script: Shell does not end with %q after a program: Command does not fit in an argument and is run from a file, whose path only such a shell can be given in its place", commandFlag)
	}
	for i, word := range s.Shell {
		field := fmt.Sprintf("Shell[%d]", i)
		if word == "" {
			return fmt.Errorf("script: %s is empty: leave Shell empty for the default, or remove the element", field)
		}
		if len(word) > maxScriptBytes {
			return fmt.Errorf("script: %s: %w", field, ErrScriptTooLong)
		}
		if err := transportable(field, word); err != nil {
			return err
		}
	}
	return nil
}

// transportable returns an error if text cannot reach the process unchanged: an
// argument ends at a NUL byte, and JSON encoding replaces invalid UTF-8.
func transportable(field, text string) error {
	if i := strings.IndexByte(text, 0); i >= 0 {
		return fmt.Errorf("script: %s has a NUL byte at offset %d: a process argument cannot contain one", field, i)
	}
	if !utf8.ValidString(text) {
		return fmt.Errorf("script: %s is not valid UTF-8: the Kubernetes API would change it; encode it, for example as base64", field)
	}
	return nil
}

// escapeExpansion returns a string that Kubernetes' expansion turns back into
// text. The expansion replaces "$$" with "$" and "$(NAME)" with a variable, and
// leaves any other "$" as it is. Only a dollar sign before another one or before an
// opening parenthesis is doubled, so that most scripts stay readable in the Job.
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

// JobSpec returns the spec of a Job that runs pod once: restartPolicy Never, one
// completion, parallelism 1, backoffLimit 0. The result shares the slices, maps and
// pointers of pod.
//
// podReplacementPolicy is Failed (KEP-3939). With backoffLimit 0 the Job controller
// never replaces a pod that was deleted or evicted, but the policy decides when such
// a pod is counted. With the default TerminatingOrFailed it counts as failed, and
// loses its tracking finalizer, as soon as its deletion begins, while it is still
// running: its exit code may never be observed, and a container that then exits
// with 0 leaves a Failed Job with a Succeeded pod. With Failed the pod is kept until
// it has ended, and is counted by its phase. API servers before 1.28 drop the field
// and use the default.
//
// A second pod is created only if the Job is suspended and resumed, or if somebody
// removes the first one's finalizer and deletes it.
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
