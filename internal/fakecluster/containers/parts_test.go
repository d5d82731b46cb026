package containers

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The cases are those of the Kubernetes documentation of command, args and
// dependent environment variables.
func TestExpand(t *testing.T) {
	t.Parallel()
	values := map[string]string{"VAR": "value", "EMPTY": "", "NESTED": "$(VAR)"}
	lookup := func(name string) (string, bool) { v, ok := values[name]; return v, ok }
	for in, want := range map[string]string{
		"":                    "",
		"plain":               "plain",
		"$(VAR)":              "value",
		"a$(VAR)b$(VAR)":      "avaluebvalue",
		"$(EMPTY)|":           "|",
		"$(NONE)":             "$(NONE)",
		"$$(VAR)":             "$(VAR)",
		"$$$(VAR)":            "$value",
		"$$$$(VAR)":           "$$(VAR)",
		"$VAR":                "$VAR",
		"$(VAR":               "$(VAR",
		"$(VAR$(VAR)":         "$(VAR$(VAR)",
		"cost: 5$":            "cost: 5$",
		"$$":                  "$",
		"$(NESTED)":           "$(VAR)",
		"echo $(VAR) > $HOME": "echo value > $HOME",
	} {
		require.Equal(t, want, Expand(in, lookup), in)
	}
}

func TestImageNames(t *testing.T) {
	t.Parallel()
	s := NewScripts()
	for image, want := range map[string]bool{
		"busybox": true, "busybox:1.36": true, "library/busybox": true, "alpine/helm:3.14": true,
		"registry.example.com/a/b:v1": true, "localhost:5000/a": true, "Registry.example.com/a": true,
		"a@sha256:" + strings.Repeat("0", 64): true, "a__b": true, "python:3.12-slim": true,
		"": false, "Busybox": false, "busybox:": false, "a b": false, "a//b": false, "a:b:c": false, "-a": false,
	} {
		require.Equal(t, want, s.validImage(image), image)
	}
}

func TestPullStates(t *testing.T) {
	t.Parallel()
	script := Script{PullError: "ErrImagePull", PullMessage: "no"}
	for _, tc := range []struct {
		age    time.Duration
		reason string
		wait   time.Duration
	}{
		{0, "ErrImagePull", time.Second},
		{time.Second, "ImagePullBackOff", 9 * time.Second},
		{10 * time.Second, "ErrImagePull", time.Second},
		{29 * time.Second, "ImagePullBackOff", time.Second},
		{30 * time.Second, "ErrImagePull", time.Second},
		{time.Hour, "ImagePullBackOff", 0},
	} {
		pull := failingPull(script, "image", tc.age, Forever)
		require.Equal(t, tc.reason, pull.Reason, tc.age)
		if tc.wait > 0 {
			require.Equal(t, tc.wait, pull.Wait, tc.age)
		}
		require.Positive(t, pull.Wait)
	}
}
