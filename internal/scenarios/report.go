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

// UpdateEnv is the environment variable that makes [CheckRecord] update the record
// and the document.
const UpdateEnv = "KONTINUE_UPDATE_SCENARIOS"

// errStale says how to update a record.
var errStale = errors.New("the record of the scenarios is stale: check the differences and, if they are correct, run the test again with " + UpdateEnv + "=1")

// root returns the directory of the module, which is two levels above this file.
func root() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "..", "..")
}

func recordPath(backend string) string {
	return filepath.Join(root(), "internal", "scenarios", "testdata", backend+".json")
}

// DocumentPath returns the path of the file that contains [Document].
func DocumentPath() string { return filepath.Join(root(), "docs", "fake-vs-real.md") }

// CheckRecord compares the facts of a run with the record of the backend, see
// [Compare]. If [UpdateEnv] is set, it updates the record and the document instead.
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

// Compare returns an error that lists the scenarios whose facts differ from the
// record of the backend. It ignores Seconds and Events, which depend on the speed of
// the machine, the outcome of a race on the real cluster (Scenario.Race), and
// scenarios that are missing in have.
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
			errs = append(errs, fmt.Errorf("%s:\n\trecorded %+v\n\tobserved %+v", name, a, b))
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
