package scenarios

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/version"
)

// UpdateVersionsEnv is the environment variable that makes a run on a real cluster write
// its [VersionRun], and docs/versions.md, which is made from all of them.
const UpdateVersionsEnv = "KONTINUE_UPDATE_VERSIONS"

// VersionRun is the result of the end-to-end tests on one version of Kubernetes.
type VersionRun struct {
	// Version is the version of Kubernetes, "v1.37.2", and Date the day of the run.
	Version string `json:"version"`
	Date    string `json:"date"`
	// Passed has the names of the scenarios, NotApplicable what the version lacks by the name
	// of a scenario, and Failed the first line of the reason.
	Passed        []string          `json:"passed"`
	NotApplicable map[string]string `json:"notApplicable,omitempty"`
	Failed        map[string]string `json:"failed,omitempty"`
	// Differs lists, by the name of a scenario that passed, what of the facts is not that of
	// the record: "returned: THERE, recorded: HERE". A race and what depends on time are left
	// out, see [Compare].
	Differs map[string][]string `json:"differs,omitempty"`
	// Checks are the results of the other tests, "passed" or "failed", by name.
	Checks map[string]string `json:"checks,omitempty"`
	// Orders names the cases of internal/fakecluster/endings in which the states of the Job
	// and its pod were seen in another order than that of the record. It is nil if they were
	// not run.
	Orders []string `json:"orders,omitempty"`
}

// RecordedVersion reports whether the record of the real cluster is that of the minor
// version. The facts of another one may differ where the result is as expected.
func RecordedVersion(v string) bool {
	have, err := version.ParseGeneric(v)
	return err == nil && have.Minor() == recordedMinor
}

// recordedMinor is the minor version of the record of the real cluster.
const recordedMinor = 37

// NewVersionRun returns the result of a run.
func NewVersionRun(v string, seen Record) (*VersionRun, error) {
	recorded, err := ReadRecord(Real)
	if err != nil {
		return nil, err
	}
	r := &VersionRun{
		Version: v, Date: time.Now().UTC().Format(time.DateOnly),
		NotApplicable: map[string]string{}, Failed: map[string]string{}, Differs: map[string][]string{},
	}
	for _, s := range All() {
		f, ran := seen[s.Name]
		switch {
		case !ran:
		case f.Lacks != "":
			r.NotApplicable[s.Name] = f.Lacks
		case f.failed:
			r.Failed[s.Name] = firstLine(f.reason)
		default:
			r.Passed = append(r.Passed, s.Name)
			if lines := deviations(recorded[s.Name], f); s.Race == "" && len(lines) > 0 {
				r.Differs[s.Name] = lines
			}
		}
	}
	return r, nil
}

func firstLine(err error) string {
	if err == nil {
		return "see the log of the run"
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// deviations lists the facts that are not those of the record.
func deviations(recorded, seen Facts) []string {
	var lines []string
	add := func(what string, was, is []string) {
		if !slices.Equal(was, is) {
			lines = append(lines, fmt.Sprintf("%s: %s, recorded: %s", what, list(is), list(was)))
		}
	}
	add("returned", []string{recorded.Returned}, []string{seen.Returned})
	add("class", []string{string(recorded.Class)}, []string{string(seen.Class)})
	add("Job", recorded.Job, seen.Job)
	add("pods", recorded.Pods, seen.Pods)
	return lines
}

// merge adds a run of some tests to one of all: `go test -run` repeats a few.
func (r *VersionRun) merge(part *VersionRun) {
	forget := func(name string) {
		r.Passed = slices.DeleteFunc(r.Passed, func(have string) bool { return have == name })
		delete(r.NotApplicable, name)
		delete(r.Failed, name)
		delete(r.Differs, name)
	}
	for _, name := range part.Names() {
		forget(name)
	}
	r.Date = part.Date
	r.Passed = append(r.Passed, part.Passed...)
	slices.Sort(r.Passed)
	for _, m := range []struct{ to, from *map[string]string }{
		{&r.NotApplicable, &part.NotApplicable}, {&r.Failed, &part.Failed}, {&r.Checks, &part.Checks},
	} {
		if *m.to == nil {
			*m.to = map[string]string{}
		}
		maps.Copy(*m.to, *m.from)
	}
	if r.Differs == nil {
		r.Differs = map[string][]string{}
	}
	maps.Copy(r.Differs, part.Differs)
	if part.Orders != nil {
		r.Orders = part.Orders
	}
}

// Names lists the scenarios of the run.
func (r *VersionRun) Names() []string {
	return slices.Concat(r.Passed, slices.Sorted(maps.Keys(r.NotApplicable)), slices.Sorted(maps.Keys(r.Failed)))
}

func versionsDir() string {
	return filepath.Join(root(), "internal", "scenarios", "testdata", "versions")
}

// Save merges the run into the file of its version, and updates docs/versions.md.
func (r *VersionRun) Save() error {
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+$`).MatchString(r.Version) {
		return fmt.Errorf("the version %q is not that of a release, so its run is not recorded", r.Version)
	}
	path := filepath.Join(versionsDir(), r.Version+".json")
	all, err := readVersion(path)
	if errors.Is(err, os.ErrNotExist) {
		all, err = &VersionRun{Version: r.Version}, os.MkdirAll(versionsDir(), 0o755)
	}
	if err != nil {
		return err
	}
	all.merge(r)
	data, err := json.MarshalIndent(all, "", "\t")
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(data, '\n'), 0o644); err != nil {
		return err
	}
	text, err := os.ReadFile(VersionsPath())
	if err != nil {
		return err
	}
	if text, err = VersionsDocument(text); err != nil {
		return err
	}
	return os.WriteFile(VersionsPath(), text, 0o644)
}

func readVersion(path string) (*VersionRun, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var r VersionRun
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &r, nil
}

// ReadVersions returns the recorded runs, that of the newest version first.
func ReadVersions() ([]*VersionRun, error) {
	paths, err := filepath.Glob(filepath.Join(versionsDir(), "*.json"))
	if err != nil {
		return nil, err
	}
	runs := make([]*VersionRun, 0, len(paths))
	for _, path := range paths {
		r, err := readVersion(path)
		if err != nil {
			return nil, err
		}
		if filepath.Base(path) != r.Version+".json" {
			return nil, fmt.Errorf("%s has the run of %s", path, r.Version)
		}
		if _, err := version.ParseGeneric(r.Version); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b *VersionRun) int {
		if version.MustParseGeneric(a.Version).LessThan(version.MustParseGeneric(b.Version)) {
			return 1
		}
		return -1
	})
	return runs, nil
}
