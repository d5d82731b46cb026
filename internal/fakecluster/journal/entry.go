package journal

import "encoding/json"

// Entry is the state of one object after a write.
type Entry struct {
	// RV is the resource version of the write.
	RV uint64 `json:"rv"`
	// Resource is the group, version and plural, such as "batch/v1/jobs" or "v1/pods".
	Resource string `json:"resource"`
	// Namespace is "" for an object that is in none.
	Namespace string `json:"namespace,omitempty"`
	// Name is the name of the object.
	Name string `json:"name"`
	// Object is the object as JSON without a line feed. It is empty if the object was
	// deleted.
	Object json.RawMessage `json:"object,omitempty"`
}

// State is what a journal holds.
type State struct {
	// RV is the last resource version that was assigned.
	RV uint64
	// Objects are the objects, in no particular order.
	Objects []Entry
}

// key identifies the object of an entry.
type key struct{ resource, namespace, name string }

func (e *Entry) key() key { return key{e.Resource, e.Namespace, e.Name} }

// line returns the entry as a line of the file. The object is JSON already, and is not
// parsed again.
func (e *Entry) line() ([]byte, error) {
	head := *e
	head.Object = nil
	out, err := json.Marshal(head)
	if err != nil || len(e.Object) == 0 {
		return append(out, '\n'), err
	}
	line := make([]byte, 0, len(out)+len(e.Object)+len(`,"object":}`)+1)
	line = append(line, out[:len(out)-1]...)
	line = append(line, `,"object":`...)
	line = append(line, e.Object...)
	return append(line, "}\n"...), nil
}
