package kontinuetest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/kontinue/kontinue"
	"github.com/kontinue/kontinue/kontinuetest"
)

// edited returns a copy of a recording with the lines that edit returns.
func edited(t *testing.T, file string, edit func(lines []string) []string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "edited.jsonl")
	lines := edit(slices.Collect(strings.Lines(string(text))))
	require.NoError(t, os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600))
	return path
}

// without returns the lines that do not have all of the parts.
func without(lines []string, parts ...string) (left []string) {
	for _, line := range lines {
		has := true
		for _, part := range parts {
			has = has && strings.Contains(line, part)
		}
		if !has {
			left = append(left, line)
		}
	}
	return left
}

// until returns the lines before the first one that has all of the parts.
func until(lines []string, parts ...string) []string {
	for i := range lines {
		if len(without(lines[i:i+1], parts...)) == 0 {
			return lines[:i]
		}
	}
	return lines
}

// deletedJob is a step whose Job is deleted.
func deletedJob(t *testing.T, r *recorded) {
	r.Play(kontinuetest.Job("s").Hang())
	client := r.client()
	defer stop(t, client)
	s, err := kontinue.StartScript(r.run(client, r.NewExecution("e")), &kontinue.ScriptOptions{
		StepOptions: kontinue.StepOptions{Name: "s"}, Image: "alpine:3", Command: "sleep inf",
	})
	require.NoError(t, err)
	r.Running("s")
	require.NoError(t, r.Clientset().BatchV1().Jobs(kontinuetest.Namespace).Delete(t.Context(), s.JobName(),
		metav1.DeleteOptions{PropagationPolicy: ptr.To(metav1.DeletePropagationBackground)}))
	_, err = s.Wait(t.Context())
	require.ErrorIs(t, err, kontinue.ErrJobDeleted)
	<-time.After(time.Minute)
}

// TestReplayOfAHang: the recording of a step that never ends has a bounded replay.
func TestReplayOfAHang(t *testing.T) {
	t.Parallel()
	file := edited(t, record(t, deletedJob), func(lines []string) []string { return until(lines, `"kind":"event"`, `"event":"DELETED"`) })
	replay := kontinuetest.Replay(t, file)
	s := replay.Step("s")
	require.False(t, s.Ended)
	require.Nil(t, s.Recorded)
	require.ErrorContains(t, s.Err, "has not ended 10m0s after the last line of the recording")
	require.ErrorContains(t, s.Err, "Running")
	require.Empty(t, s.State)
	require.Empty(t, inEnds(replay), "it hung when it was recorded")
}

// TestReplayOfAFixedHang: the recording lacks what another version of the library does. It
// is answered with what is known.
func TestReplayOfAFixedHang(t *testing.T) {
	t.Parallel()
	// As if the version that was recorded had ignored the end of the Job.
	file := edited(t, record(t, deletedJob), func(lines []string) []string {
		return without(without(lines, `"verb":"get","resource":"jobs"`), `"kind":"end"`)
	})
	replay := kontinuetest.Replay(t, file)
	s := replay.Step("s")
	require.True(t, s.Ended)
	require.ErrorIs(t, s.Err, kontinue.ErrJobDeleted)
	require.Regexp(t, "get jobs default/"+s.Job+" after .*: the recording has no such request then, and 0 before", strings.Join(replay.Differences, "\n"))
	require.Len(t, inEnds(replay), 1)
	require.Contains(t, inEnds(replay)[0], "step s: the recording has no end of it; in the replay it ended: no result")
}

// TestReplayShowsAnotherEnd: the end of a step is compared with the recorded one.
func TestReplayShowsAnotherEnd(t *testing.T) {
	t.Parallel()
	file := record(t, func(t *testing.T, r *recorded) {
		r.Play(kontinuetest.Job("s").Exit(3))
		client := r.client()
		defer stop(t, client)
		result, err := script(r.run(client, r.NewExecution("e")), "s", "exit 3")
		require.NoError(t, err)
		require.Error(t, result.Err())
	})
	replay := kontinuetest.Replay(t, edited(t, file, func(lines []string) []string {
		return strings.SplitAfter(strings.ReplaceAll(strings.Join(lines, ""), `"reason":"Error","pod"`, `"reason":"OOMKilled","pod"`), "\n")
	}))
	require.Len(t, inEnds(replay), 1)
	require.Contains(t, inEnds(replay)[0], "step s: recorded: Failed (class User, reason OOMKilled")
	require.Contains(t, inEnds(replay)[0], "in the replay: Failed (class User, reason Error")
}

// TestReplayOfACrash: a process is killed while it writes a line, and the next one appends
// to the file.
func TestReplayOfACrash(t *testing.T) {
	t.Parallel()
	file := record(t, func(t *testing.T, r *recorded) {
		r.Play(kontinuetest.Job("s").Run(time.Hour).Exit(4))
		first := r.client()
		x := r.NewExecution("e")
		s, err := kontinue.StartScript(r.run(first, x), &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: "s"}, Image: "alpine:3", Command: "true"})
		require.NoError(t, err)
		r.Running("s")
		<-time.After(time.Minute)
		synctest.Wait()
		written, err := r.file.Seek(0, 2)
		require.NoError(t, err)
		stop(t, first)
		_, err = s.Wait(t.Context())
		require.ErrorIs(t, err, kontinue.ErrNotRunning)
		require.NoError(t, r.file.Truncate(written-7))
		_, err = r.file.Seek(0, 2)
		require.NoError(t, err)
		second := r.client()
		defer stop(t, second)
		x.Resumptions++
		result, err := script(r.run(second, x), "s", "true")
		require.NoError(t, err)
		require.Error(t, result.Err())
	})
	replay := kontinuetest.Replay(t, file)
	require.Equal(t, []string{"1 lines of the recording cannot be read"}, inEnds(replay))
	require.Len(t, replay.Steps, 2)
	require.Nil(t, replay.Steps[0].Recorded)
	require.EqualValues(t, 4, replay.Step("s").ExitCode)
	require.True(t, replay.Step("s").Adopted)
}

// TestReplayOfClientsAtTheSameTime: two clients that write to one file are two clients.
func TestReplayOfClientsAtTheSameTime(t *testing.T) {
	t.Parallel()
	file := record(t, func(t *testing.T, r *recorded) {
		r.Play(kontinuetest.Job("").Run(time.Minute))
		a, b := r.client(), r.client(func(c *kontinue.Config) { c.Group = "other" })
		defer stop(t, a)
		defer stop(t, b)
		shared, own := r.NewExecution("shared"), r.NewExecution("own")
		var steps []*kontinue.Step[*kontinue.PodResult]
		for i, ktx := range []*kontinue.ExecutionContext{r.run(a, shared), r.run(a, own), r.run(b, r.NewExecution("third"))} {
			s, err := kontinue.StartScript(ktx, &kontinue.ScriptOptions{StepOptions: kontinue.StepOptions{Name: fmt.Sprintf("s%d", i)}, Image: "alpine:3", Command: "true"})
			require.NoError(t, err)
			steps = append(steps, s)
		}
		for _, s := range steps {
			result, err := s.Wait(t.Context())
			require.NoError(t, err)
			require.NoError(t, result.Err())
		}
		require.NoError(t, a.Finish(t.Context(), shared))
	})
	replay := kontinuetest.Replay(t, file)
	require.Empty(t, inEnds(replay))
	require.Len(t, replay.Steps, 3)
	for _, s := range replay.Steps {
		require.NoError(t, s.Err)
	}
	require.Equal(t, "third", replay.Step("s2").Owner.Name)
}

// TestReplayOfAPartOfAFile: a recording may end anywhere, and lines may be missing.
func TestReplayOfAPartOfAFile(t *testing.T) {
	t.Parallel()
	file := record(t, func(t *testing.T, r *recorded) {
		r.Play(kontinuetest.Job("s").Run(time.Hour))
		client := r.client()
		defer stop(t, client)
		_, err := script(r.run(client, r.NewExecution("e")), "s", "true")
		require.NoError(t, err)
	})
	var all []string
	edited(t, file, func(lines []string) []string {
		all = lines
		return nil
	})
	for n := 3; n < len(all); n += 4 { // the last line is cut off
		part := edited(t, file, func(lines []string) []string { return append(lines[:n-1], lines[n-1][:len(lines[n-1])/2]) })
		replay := kontinuetest.Replay(t, part)
		for _, d := range inEnds(replay) {
			require.Contains(t, d, "the recording has no end of it", "%d lines, the last of which are\n%s", n, strings.Join(lastKinds(all[:n], 12), "\n"))
		}
	}
	for name, tc := range map[string]struct {
		edit func(lines []string) []string
		want string
	}{
		"lines were lost": {
			func(lines []string) []string {
				id := lines[1][strings.Index(lines[1], `"id"`):strings.Index(lines[1], `,"at"`)]
				return append(lines, "{"+id+`,"at":3600000000001,"kind":"lost","lost":7}`+"\n")
			}, "7 lines of the recording were not written by 1h0m0.000000001s",
		},
		"a line is damaged": {func(lines []string) []string { return append(append(lines[:9:9], "{damaged\n"), lines[9:]...) }, "1 lines of the recording cannot be read"},
	} {
		replay := kontinuetest.Replay(t, edited(t, file, tc.edit))
		require.Equal(t, []string{tc.want}, inEnds(replay), name)
	}
}

// TestReplayOfAStartThatFails: a Start that failed fails in the replay.
func TestReplayOfAStartThatFails(t *testing.T) {
	t.Parallel()
	file := record(t, func(t *testing.T, r *recorded) {
		r.FailRequests("list", "pods", 0, fmt.Errorf("connection refused"))
		config := r.Config()
		config.Record, config.StartTimeout = r.file, time.Minute
		client, err := kontinue.New(config)
		require.NoError(t, err)
		defer stop(t, client)
		require.ErrorContains(t, client.Start(t.Context()), "connection refused")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.ErrorIs(t, client.Start(ctx), context.DeadlineExceeded)
	})
	replay := kontinuetest.Replay(t, file)
	require.Empty(t, replay.Steps)
	require.Empty(t, inEnds(replay))
}

// TestWhatIsNoRecording: the error says what is wrong with the file.
func TestWhatIsNoRecording(t *testing.T) {
	t.Parallel()
	good := record(t, func(t *testing.T, r *recorded) { stop(t, r.client()) })
	for name, tc := range map[string]struct {
		edit func(lines []string) []string
		want string
	}{
		"no file":      {nil, "no such file"},
		"empty":        {func([]string) []string { return nil }, "it is no recording of Config.Record"},
		"other lines":  {func([]string) []string { return []string{"{\"a\":1}\n", "text\n"} }, "it begins within the recording"},
		"no beginning": {func(lines []string) []string { return without(lines, `"format":1`) }, "put the parts of the file together"},
		"later format": {func(lines []string) []string {
			return strings.SplitAfter(strings.Replace(strings.Join(lines, ""), `"format":1`, `"format":2`, 1), "\n")
		}, "the recording has format 2, and this version of kontinue reads up to 1"},
	} {
		file := "missing.jsonl"
		if tc.edit != nil {
			file = edited(t, good, tc.edit)
		}
		err := kontinuetest.ReadRecording(file)
		require.ErrorContains(t, err, tc.want, name)
	}
}

// lastKinds returns the beginnings of the last lines of a recording.
func lastKinds(lines []string, count int) (kinds []string) {
	for _, line := range lines[max(0, len(lines)-count):] {
		kinds = append(kinds, line[:min(len(line), 200)])
	}
	return kinds
}
