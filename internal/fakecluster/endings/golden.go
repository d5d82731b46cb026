package endings

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Names of the records in testdata.
const (
	Memory = "memory"
	Real   = "real"
)

// UpdateEnv is the environment variable that makes tests write a record.
const UpdateEnv = "KONTINUE_UPDATE_ENDINGS"

func path(name string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(file), "testdata", name+".txt")
}

// Read returns the record of a cluster: the histories by the name of their case.
func Read(name string) (map[string]History, error) {
	data, err := os.ReadFile(path(name))
	if err != nil {
		return nil, fmt.Errorf("reading the record: %w", err)
	}
	record := map[string]History{}
	current := ""
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if title, ok := strings.CutPrefix(line, "# "); ok {
			current = title
			continue
		}
		at, state, ok := strings.Cut(line, " ")
		if !ok {
			continue
		}
		d, err := time.ParseDuration(at)
		if err != nil {
			return nil, fmt.Errorf("line %q of the record of %s: %w", line, current, err)
		}
		record[current] = append(record[current], State{Line: state, At: d})
	}
	return record, nil
}

// Format returns a line for each state of the history, with its time.
func Format(h History) string {
	var b strings.Builder
	for _, s := range h {
		fmt.Fprintf(&b, "%.2fs %s\n", s.At.Seconds(), s.Line)
	}
	return b.String()
}

// Write writes the record of a cluster.
func Write(name string, record map[string]History) error {
	var b bytes.Buffer
	for _, c := range All() {
		fmt.Fprintf(&b, "# %s\n%s\n", c.Name, Format(record[c.Name]))
	}
	return os.WriteFile(path(name), bytes.TrimSuffix(b.Bytes(), []byte("\n")), 0o644)
}
