package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Version is the version that [Record.Encode] writes.
const Version = 1

// ErrNewer is the error of [Decode] for a record that a later version of this
// library wrote.
var ErrNewer = errors.New("the record has a later version than this program reads")

// Record is how a step's Job ended.
type Record struct {
	// Version is set by Encode.
	Version int `json:"v"`
	// Attempt of the Execution that the record was written in.
	Attempt int `json:"attempt"`
	// Failed reports whether the Job failed.
	Failed bool `json:"failed,omitempty"`
	// Canceled reports whether the Job was asked to stop.
	Canceled bool `json:"canceled,omitempty"`
	// GaveUp reports whether a worker stopped the Job since its pods did not start, or did
	// not stop. Reason and Message are then those of that problem.
	GaveUp bool `json:"gaveUp,omitempty"`
	// Reason and Message are those of the Job's terminal condition.
	Reason string `json:"reason,omitempty"`
	// Message, and likewise Reason, is at most 1 KiB long.
	Message string `json:"message,omitempty"`
	// SucceededPods and FailedPods are the Job's counts.
	SucceededPods int32 `json:"succeededPods,omitempty"`
	// FailedPods counts retried pods too.
	FailedPods int32 `json:"failedPods,omitempty"`
	// Lost counts the pods that the Job counted and no worker observed.
	Lost int `json:"lost,omitempty"`
	// ManagedBy is the controller of a Job that another one than Kubernetes' own has run, so
	// that its pods are not in this cluster.
	ManagedBy string `json:"managedBy,omitempty"`
	// Early reports whether the record was made when the pod had ended and the Job had no
	// condition yet. Reason and Message are then those that its controller will write.
	Early bool `json:"early,omitempty"`
	// Created is when the API server created the Job, Ended when the Job ended, or its
	// pod in an Early record, and Seen when a worker knew, all in UTC.
	Created time.Time `json:"created,omitzero"`
	// Ended is by the clock of the control plane, or of the pod's node.
	Ended time.Time `json:"ended,omitzero"`
	// Seen is by the clock of the cluster, which may be ahead by a second or two.
	Seen time.Time `json:"seen,omitzero"`
	// Pods is what pods.Encode has written.
	Pods json.RawMessage `json:"pods"`
}

// maxMessage bounds the Job's own reason and message, in bytes.
const maxMessage = 1024

// Encode returns the text of the annotation.
func (r Record) Encode() (string, error) {
	r.Version = Version
	r.Reason, r.Message = cut(r.Reason), cut(r.Message)
	text, err := json.Marshal(r)
	return string(text), err
}

func cut(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "")
}

// Decode reads the text of the annotation. The error wraps [ErrNewer] for a record
// of a later version.
func Decode(text string) (Record, error) {
	var version struct {
		V int `json:"v"`
	}
	if err := json.Unmarshal([]byte(text), &version); err != nil {
		return Record{}, fmt.Errorf("the record is no JSON object: %w", err)
	}
	switch {
	case version.V > Version:
		return Record{}, fmt.Errorf("%w: version %d, not %d", ErrNewer, version.V, Version)
	case version.V < 1:
		return Record{}, errors.New("the record has no version")
	}
	var r Record
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Record{}, fmt.Errorf("the record cannot be read: %w", err)
	}
	return r, nil
}

// Readable reports whether Decode can read the text.
func Readable(text string) bool {
	_, err := Decode(text)
	return text != "" && err == nil
}
