package pods_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/kontinue/kontinue/pods"
)

func indexed(n, failing int) []pods.Outcome {
	var all []pods.Outcome
	for i := range n {
		state := exited(0, "Completed", 5, "")
		phase := corev1.PodSucceeded
		if i >= n-failing {
			state, phase = exited(1, "Error", 5, strings.Repeat("é", 900)), corev1.PodFailed
		}
		o := pods.Inspect(pod(phase, mainC("main", state)))
		o.Name, o.Index = fmt.Sprintf("job-%d-abcde", i), new(i)
		all = append(all, o)
	}
	return all
}

func TestEncodeIsStable(t *testing.T) {
	t.Parallel()
	o := pods.Inspect(pod("Failed", mainC("main", exited(3, "Error", 5, "boom"))))
	text, cut, err := pods.Encode([]pods.Outcome{o}, 0)
	require.NoError(t, err)
	require.False(t, cut)
	// A recorded outcome outlives the program that wrote it: a later version may add
	// fields, but must still read this text.
	require.JSONEq(t, `{"v":1,"pods":[{"n":"step-abcde","u":"uid-1","nd":"node-1","p":"Failed","s":"2026-03-01T12:00:00Z","f":"2026-03-01T12:00:05Z",
		"c":[{"n":"main","k":"main","s":"Terminated","e":3,"r":"Error","m":"boom","i":"registry.example/main:1","a":"2026-03-01T12:00:01Z","f":"2026-03-01T12:00:05Z"}]}]}`, text)
	again, _, err := pods.Encode([]pods.Outcome{o}, 0)
	require.NoError(t, err)
	require.Equal(t, text, again)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	got, cut, err := pods.Decode(`{"v":1,"cut":true,"new":{"a":1},"pods":[{"n":"p","later":[1],"p":"Succeeded","c":[{"n":"c","k":"main","s":"Terminated","q":2}]}]}`)
	require.NoError(t, err, "a later version may add fields")
	require.True(t, cut)
	require.Len(t, got, 1)
	require.True(t, got[0].Succeeded())

	for text, want := range map[string]string{
		"":             "not readable",
		"{":            "not readable",
		`[]`:           "not readable",
		`{"pods":[]}`:  "version 0",
		`{"v":2}`:      "newer worker",
		`{"v":"1"}`:    "not readable",
		`{"v":1}{"x":`: "not readable",
	} {
		_, _, err := pods.Decode(text)
		require.ErrorContains(t, err, want, text)
	}
}

func TestEncodeShortensMessagesFirst(t *testing.T) {
	t.Parallel()
	all := indexed(20, 10)
	text, cut, err := pods.Encode(all, 0)
	require.NoError(t, err)
	require.True(t, cut)
	require.LessOrEqual(t, len(text), pods.MaxRecordBytes)
	require.Greater(t, len(text), pods.MaxRecordBytes/2, "no more is left out than needed")
	back, cut, err := pods.Decode(text)
	require.NoError(t, err)
	require.True(t, cut)
	require.Len(t, back, len(all), "messages are truncated before pods are dropped")
	for i, o := range back {
		require.Equal(t, all[i].Name, o.Name, "in order")
		message := o.Containers[0].Message
		require.True(t, utf8.ValidString(message))
		require.Equal(t, i >= 10, strings.HasSuffix(message, "é..."), message)
	}
	require.Len(t, all[19].Containers[0].Message, 1800, "the caller's outcomes are not changed")
}

// A message may be the end of a log, of which Explain shows the last line.
func TestEncodeKeepsTheLastLine(t *testing.T) {
	t.Parallel()
	for name, message := range map[string]string{
		"short line": strings.Repeat("é little\n", 190) + "the disk is full\n\n",
		"long line":  "first\n" + strings.Repeat("é", 900),
		"one line":   strings.Repeat("é", 900),
		"blank end":  "full" + strings.Repeat("\n", 1800),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all := indexed(9, 9)
			for i := range all {
				all[i].Containers[0].Message = message
			}
			text, cut, err := pods.Encode(all, 12*1024)
			require.NoError(t, err)
			require.True(t, cut)
			back, _, err := pods.Decode(text)
			require.NoError(t, err)
			require.Len(t, back, len(all))
			for i := range all {
				require.True(t, utf8.ValidString(back[i].Containers[0].Message))
				require.Equal(t, all[i].Explain(), back[i].Explain())
			}
		})
	}
}

func TestEncodeKeepsFailedPods(t *testing.T) {
	t.Parallel()
	all := indexed(1000, 20)
	text, cut, err := pods.Encode(all, 0)
	require.NoError(t, err)
	require.True(t, cut)
	require.LessOrEqual(t, len(text), pods.MaxRecordBytes)
	back, _, err := pods.Decode(text)
	require.NoError(t, err)
	require.Greater(t, len(back), 40)
	for i, o := range back {
		if i < 20 {
			require.Equal(t, all[980+i].Name, o.Name)
			require.False(t, o.Succeeded())
		} else {
			require.Equal(t, all[i-20].Name, o.Name)
		}
	}
}

func TestEncodeOmitsContainersButKeepsTheOutcome(t *testing.T) {
	t.Parallel()
	build := func(failing bool) pods.Outcome {
		options := []option{initC("prepare", exited(0, "Completed", 2, "")), sidecarC("proxy", exited(137, "Error", 9, ""))}
		for i := range 400 {
			options = append(options, mainC(fmt.Sprintf("container-%d", i), exited(0, "Completed", 5, "")))
		}
		phase := corev1.PodSucceeded
		if failing {
			phase = corev1.PodFailed
			options = append(options, mainC("culprit", exited(9, "Error", 3, "boom")), mainC("victim", exited(143, "Error", 4, "")))
		}
		return pods.Inspect(pod(phase, options...))
	}
	for _, failing := range []bool{false, true} {
		o := build(failing)
		for _, budget := range []int{pods.MaxRecordBytes, 4000, 700, 400} {
			text, cut, err := pods.Encode([]pods.Outcome{o}, budget)
			require.NoError(t, err)
			require.True(t, cut)
			require.LessOrEqual(t, len(text), budget)
			back, _, err := pods.Decode(text)
			require.NoError(t, err)
			require.Len(t, back, 1)
			require.Equal(t, len(o.Containers), len(back[0].Containers)+back[0].Omitted)
			require.Greater(t, len(back[0].Containers), budget/500)
			require.Equal(t, o.Succeeded(), back[0].Succeeded(), "budget %d", budget)
			first, _ := back[0].FirstFailure()
			require.Equal(t, map[bool]string{true: "culprit"}[failing], first.Name)
		}
	}
}

func TestEncodeNeedsRoomForARecord(t *testing.T) {
	t.Parallel()
	_, _, err := pods.Encode(indexed(1, 1), 10)
	require.ErrorContains(t, err, "10 bytes")

	text, cut, err := pods.Encode(indexed(1, 1), 30)
	require.NoError(t, err)
	require.True(t, cut)
	require.Equal(t, `{"v":1,"cut":true}`, text)

	text, cut, err = pods.Encode(nil, 0)
	require.NoError(t, err)
	require.False(t, cut)
	require.Equal(t, `{"v":1}`, text)
}

func TestEncodeNeverExceedsTheBudget(t *testing.T) {
	t.Parallel()
	all := indexed(12, 2)
	for budget := 18; budget < 2500; budget += 11 {
		text, _, err := pods.Encode(all, budget)
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), budget)
	}
}
