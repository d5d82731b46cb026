package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// VersionsPath returns the path of the page that contains [VersionsDocument].
func VersionsPath() string { return filepath.Join(root(), "docs", "versions.md") }

// The part of docs/versions.md between these lines is made from the recorded runs.
const (
	versionsBegin = "<!-- Generated from internal/scenarios/testdata/versions by `make versions`. Do not edit. -->\n"
	versionsEnd   = "<!-- End of the generated part. -->\n"
)

// VersionsDocument returns the page with its generated part made from the recorded runs.
func VersionsDocument(page []byte) ([]byte, error) {
	before, rest, begins := bytes.Cut(page, []byte(versionsBegin))
	_, after, ends := bytes.Cut(rest, []byte(versionsEnd))
	if !begins || !ends {
		return nil, errors.New("docs/versions.md lacks the lines around its generated part")
	}
	runs, err := ReadVersions()
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.Write(before)
	b.WriteString(versionsBegin + "\n| Kubernetes | scenarios passed | not applicable | failed | other tests | run on |\n|---|---:|---:|---:|---|---|\n")
	for _, r := range runs {
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %s | %s |\n", r.Version, len(r.Passed), len(r.NotApplicable), len(r.Failed), r.checks(), r.Date)
	}
	b.WriteString("\n" + notApplicable(runs))
	for _, r := range runs {
		for _, name := range slices.Sorted(maps.Keys(r.Failed)) {
			fmt.Fprintf(&b, "- %s failed `%s`: %s\n", r.Version, name, cell(r.Failed[name]))
		}
	}
	if text := differing(runs); text != "" {
		fmt.Fprintf(&b, "\n### What differs from 1.%d\n\n%s\n%s", recordedMinor, differsIntro, text)
	}
	b.WriteString("\n" + versionsEnd)
	b.Write(after)
	return b.Bytes(), nil
}

// checks is the cell of the other tests.
func (r *VersionRun) checks() string {
	if len(r.Checks) == 0 {
		return "not run"
	}
	var failed []string
	for _, name := range slices.Sorted(maps.Keys(r.Checks)) {
		if result := r.Checks[name]; result != "passed" {
			failed = append(failed, fmt.Sprintf("%s %s", name, cell(result)))
		}
	}
	if len(failed) == 0 {
		return "passed: " + strings.Join(slices.Sorted(maps.Keys(r.Checks)), ", ")
	}
	return strings.Join(failed, "; ")
}

// notApplicable lists what versions lack, and the scenarios that need it.
func notApplicable(runs []*VersionRun) string {
	scenarios, versions := map[string]map[string]bool{}, map[string][]string{}
	for _, r := range runs {
		for _, reason := range slices.Compact(slices.Sorted(maps.Values(r.NotApplicable))) {
			versions[reason] = append(versions[reason], r.Version)
		}
		for name, reason := range r.NotApplicable {
			if scenarios[reason] == nil {
				scenarios[reason] = map[string]bool{}
			}
			scenarios[reason][name] = true
		}
	}
	if len(scenarios) == 0 {
		return "Every scenario is applicable to each version.\n"
	}
	var b strings.Builder
	b.WriteString("| not applicable to | because the scenario | scenarios |\n|---|---|---|\n")
	for _, reason := range slices.Sorted(maps.Keys(scenarios)) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(versions[reason], ", "), cell(reason), list(slices.Sorted(maps.Keys(scenarios[reason]))))
	}
	return b.String()
}

const differsIntro = `These scenarios return what is expected on each version. What differs from the record is a
detail of the message, or of the statuses of the Job and its pods.
`

// differing lists the facts that are not those of the record, each with its versions.
func differing(runs []*VersionRun) string {
	versions := map[string][]string{}
	for _, r := range runs {
		for _, name := range r.Orders {
			key := fmt.Sprintf("the states of the Job and its pod, or one of them, come in another order in the case `%s` of [the order of events](fake-vs-real.md#order-of-events)", name)
			versions[key] = append(versions[key], r.Version)
		}
		for name, lines := range r.Differs {
			for _, line := range lines {
				key := fmt.Sprintf("`%s`: %s", name, line)
				versions[key] = append(versions[key], r.Version)
			}
		}
	}
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(versions)) {
		fmt.Fprintf(&b, "- %s: %s\n", strings.Join(versions[key], ", "), key)
	}
	return b.String()
}
