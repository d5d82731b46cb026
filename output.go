package kontinue

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kontinue/kontinue/pods"
)

// ErrOutputTruncated means that the output of a container is not whole. [DecodeOutput]
// returns it.
var ErrOutputTruncated = pods.ErrOutputTruncated

// Output returns what a container wrote to its terminationMessagePath, by default
// /dev/termination-log, before it ended: its termination message, of up to 4 KiB. An empty
// name stands for the first container that the step submitted. Output is recorded with the
// result, so that a resume returns the same.
//
// It is empty if the container wrote nothing, or is not known, or if its output is not
// whole: the kubelet cuts what is longer than 4 KiB, or than an equal part of 12 KiB in a pod
// of more than three containers, and the record of a Job with many pods may have no room for
// it. [DecodeOutput] says which it is. It is empty, too, if the container failed, unless its
// terminationMessagePolicy is File: by default, the message of a container that failed may
// be the end of its log.
func (r *PodResult) Output(container string) string {
	text, _ := r.output(container)
	return text
}

// output also says why there is no output.
func (r *PodResult) output(container string) (string, error) {
	if container == "" {
		container = r.mainContainer()
	}
	if err := r.noPods(); err != nil {
		return "", err
	}
	o := r.inspect()
	i := slices.IndexFunc(o.Containers, func(c pods.ContainerOutcome) bool { return c.Name == container })
	if i < 0 {
		return "", fmt.Errorf("nothing is known of container %q", container)
	}
	return o.Containers[i].Output()
}

// DecodeOutput decodes the output of the first container that the step submitted, which has
// to be JSON, into the value that v points to: see [PodResult.Output].
//
// The error says why there is no output, or where in it the JSON breaks. It wraps an
// [ErrOutputTruncated] if the output is not whole, and what Err returns if the pod failed.
func DecodeOutput(result *PodResult, v any) error {
	if result == nil {
		return invalid("DecodeOutput", errors.New("the result is nil"))
	}
	text, err := result.output("")
	if err != nil {
		if failure := result.Err(); failure != nil {
			err = fmt.Errorf("%w: %w", err, failure)
		}
		return fmt.Errorf("kontinue: DecodeOutput: %w", err)
	}
	if err := json.Unmarshal([]byte(text), v); err != nil {
		return fmt.Errorf("kontinue: DecodeOutput: output of container %q: %w%s", result.mainContainer(), err, where(text, err))
	}
	return nil
}

// where shows the end of the text that the decoder has read.
func where(text string, err error) string {
	const around = 30
	at := -1
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = int(syntax.Offset)
	case errors.As(err, &mismatch):
		at = int(mismatch.Offset)
	}
	if at < 0 || at > len(text) {
		return ""
	}
	return fmt.Sprintf(" (line %d, byte %d, after %q)", 1+strings.Count(text[:at], "\n"), at, text[max(0, at-around):at])
}
