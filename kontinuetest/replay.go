package kontinuetest

import (
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/kontinue/kontinue"
)

// Recording is what [Replay] returns.
type Recording struct {
	// Steps are those of the recording, in the order in which they began.
	Steps []*RecordedStep
	// Differences are what went otherwise in the replay: a step that ended in another way, a
	// request that the recording has no answer to, lines that are missing. If it is empty, the
	// replay has shown what the recording has.
	Differences []string

	t testing.TB
}

// RecordedStep is a step of a [Recording].
type RecordedStep struct {
	// StepEnd is how the step ended in the replay. Its Err is that of the result or, without
	// one, why there is none. If the step has not ended, only that and the StepInfo are set.
	kontinue.StepEnd
	// Ended reports whether the step has ended in the replay.
	Ended bool
	// Recorded is how the step ended when it was recorded, or nil if the recording has no end
	// of it. The Err of one without a result wraps the same Err values of package kontinue.
	// Times are not recorded.
	Recorded *kontinue.StepEnd
}

// Step returns the step with the given name that began last. It fails the test if there
// is none.
func (r *Recording) Step(name string) *RecordedStep {
	r.t.Helper()
	var found *RecordedStep
	var names []string
	for _, s := range r.Steps {
		if s.Step == name {
			found = s
		}
		names = append(names, s.Step)
	}
	require.NotNil(r.t, found, "the recording has no step %q; its steps are %q", name, names)
	return found
}

// Replay starts the steps of a recording (see kontinue.Config.Record) at their recorded
// times on clients of this version of the library, and answers their requests from the
// recording, in virtual time. The steps are run as they were recorded; the program's own
// functions are not called. So a bug report becomes a test:
//
//	replay := kontinuetest.Replay(t, "testdata/report.jsonl")
//	require.NoError(t, replay.Step("helm").Err)
//
// A request is answered with the next recorded answer to the same request, not before the
// time at which that came. One that the recording has no answer to is noted in
// Differences, and is answered with what the recording has shown of the object by then. Ten
// minutes of virtual time after the last line, steps that have not ended are given up:
// Ended is false and Err says so.
//
// A file that is no recording, or has a later format than this version reads, fails the
// test. The last line may be cut off. Replay must not be called in a testing/synctest
// bubble, since it makes one.
func Replay(t *testing.T, file string) *Recording {
	t.Helper()
	index, err := readIndex(file)
	require.NoError(t, err, "reading the recording")
	result := &Recording{t: t}
	synctest.Test(t, func(t *testing.T) {
		newReplay(t, index, result).run(file)
	})
	return result
}

// The last of client-go's error handlers bounds errors to one a millisecond. It compares
// real times with virtual ones, and would sleep until a replay is at the present.
var _ = func() bool {
	utilruntime.ErrorHandlers = utilruntime.ErrorHandlers[:1] //nolint:reassign // it is meant for that
	return true
}()
