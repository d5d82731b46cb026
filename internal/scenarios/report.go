package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
)

// UpdateEnv names the environment variable that makes a run write what it saw,
// instead of comparing it.
const UpdateEnv = "KONTINUE_UPDATE_SCENARIOS"

// errStale is the advice for a record that does not hold what a run saw.
var errStale = errors.New("the record of the scenarios is stale: look at the differences and, if they are right, run the test again with " + UpdateEnv + "=1")

// root is the module's directory: this file is two levels below it.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

func recordPath(backend string) string {
	return filepath.Join(root(), "internal", "scenarios", "testdata", backend+".json")
}

// DocumentPath is the file that [Document] is kept in.
func DocumentPath() string { return filepath.Join(root(), "docs", "fake-vs-real.md") }

// CheckRecord compares what a run saw with the record of the backend (see
// [Compare]). With [UpdateEnv] set it writes the record and the document instead.
func CheckRecord(backend string, have Record) error {
	want, err := ReadRecord(backend)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if os.Getenv(UpdateEnv) != "" {
		if want == nil {
			want = Record{}
		}
		known := map[string]bool{}
		for _, s := range All() {
			known[s.Name] = true
		}
		maps.Copy(want, have)
		maps.DeleteFunc(want, func(name string, _ Facts) bool { return !known[name] })
		return update(backend, want)
	}
	return Compare(backend, want, have)
}

// Compare tells where what a run saw is not what is recorded of the backend. Seconds
// and warnings are not compared, since they depend on the machine's pace, nor is
// what a race of the real cluster decides (Scenario.Race), nor are scenarios that
// the run left out.
func Compare(backend string, want, have Record) error {
	raced := map[string]bool{}
	for _, s := range All() {
		raced[s.Name] = backend == Real && s.Race != ""
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(have)) {
		a, b := want[name], have[name]
		a.Seconds, b.Seconds, a.Events, b.Events = 0, 0, nil, nil
		if raced[name] {
			a, b = Facts{Shows: a.Shows, Lacks: a.Lacks}, Facts{Shows: b.Shows, Lacks: b.Lacks}
		}
		if !reflect.DeepEqual(a, b) {
			errs = append(errs, fmt.Errorf("%s:\n\trecorded %+v\n\tseen     %+v", name, a, b))
		}
	}
	if len(errs) > 0 {
		return errors.Join(append(errs, errStale)...)
	}
	return nil
}

// ReadRecord returns the record of a backend.
func ReadRecord(backend string) (Record, error) {
	data, err := os.ReadFile(recordPath(backend))
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", recordPath(backend), err)
	}
	return r, nil
}

func update(backend string, r Record) error {
	for name, facts := range r {
		facts.Seconds = float64(int(facts.Seconds*10+0.5)) / 10
		r[name] = facts
	}
	data, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(recordPath(backend)), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(recordPath(backend), append(data, '\n'), 0o644); err != nil {
		return err
	}
	document, err := Document()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(DocumentPath()), 0o755); err != nil {
		return err
	}
	return os.WriteFile(DocumentPath(), document, 0o644)
}
