package journal_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/kontinue/kontinue/internal/fakecluster/journal"
)

// A program stores its writes, and finds them when it starts again.
func Example() {
	dir, err := os.MkdirTemp("", "journal-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "objects.jsonl")

	file, err := journal.Create(path, 100, 0, func(func(journal.Entry, error) bool) {})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = file.Append(journal.Entry{RV: 101, Resource: "v1/pods", Namespace: "default", Name: "a", Object: []byte(`{"kind":"Pod"}`)})
	fmt.Println(err, file.Close())

	state, err := journal.Load(path)
	fmt.Println(state.RV, state.Objects[0].Name, string(state.Objects[0].Object), err)
	// Output:
	// <nil> <nil>
	// 101 a {"kind":"Pod"} <nil>
}
