package flight

import (
	"encoding/json"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kontinue/kontinue/internal/causes"
	"github.com/kontinue/kontinue/internal/starts"
	"github.com/kontinue/kontinue/internal/step"
)

// Format is the version of the format. One that a program of an earlier version would
// misread gets another number; fields are added without one.
const Format = 1

// Kind says what a line is.
type Kind string

// The kinds of lines.
const (
	// KindClient is the first line of a client: Format and Client are set.
	KindClient Kind = "client"
	// KindStart is a call of Start, and KindStop one of Stop.
	KindStart Kind = "start"
	KindStop  Kind = "stop"
	// KindStarted is the end of a Start, with an Error or without.
	KindStarted Kind = "started"
	// KindClock is a time that the header of a response has: Clock is set.
	KindClock Kind = "clock"
	// KindBegin is a step that begins: Step is set.
	KindBegin Kind = "begin"
	// KindCanceled is the end of the context of step ID: Error is set.
	KindCanceled Kind = "canceled"
	// KindEnd is the end of step ID: End is set.
	KindEnd Kind = "end"
	// KindCall is a call of a method for an Execution: Call and Execution are set. KindCancel
	// is one that cancels step StepID.
	KindCall   Kind = "call"
	KindCancel Kind = "cancel"
	// KindAnswer is a request with its answer: Request, and Object or Error, are set, or
	// neither where the answer has no content. It is written when the answer has come.
	KindAnswer Kind = "answer"
	// KindOpen is a request to watch with its answer: Request, and Watch or Error, are set.
	KindOpen Kind = "open"
	// KindEvent is an event of a watch: Watch, Event and Object are set.
	KindEvent Kind = "event"
	// KindClose is the end of a watch, and KindQuit says that the client has ended it.
	KindClose Kind = "close"
	KindQuit  Kind = "quit"
	// KindLost says that Lost lines are missing here.
	KindLost Kind = "lost"
)

// Line is one line of a recording. A field that is empty is left out.
type Line struct {
	// Format is in the first line of a client.
	Format int `json:"format,omitempty"`
	// ID identifies the client: several may write to one file.
	ID string `json:"id"`
	// At is the time since the first line of the client, in nanoseconds.
	At time.Duration `json:"at"`
	// Kind says which of the other fields are set.
	Kind Kind `json:"kind"`

	Client *Client    `json:"client,omitempty"`
	Clock  *time.Time `json:"clock,omitempty"`
	StepID uint64     `json:"stepID,omitempty"`
	Step   *Step      `json:"step,omitempty"`
	End    *End       `json:"end,omitempty"`
	Call   string     `json:"call,omitempty"`
	// Execution is that of a call.
	Execution *step.Execution `json:"execution,omitempty"`
	Request   *Request        `json:"request,omitempty"`
	// Took is how long an answer took, in nanoseconds.
	Took   time.Duration   `json:"took,omitempty"`
	Watch  int             `json:"watch,omitempty"`
	Event  string          `json:"event,omitempty"`
	Object json.RawMessage `json:"object,omitempty"`
	Error  *Error          `json:"error,omitempty"`
	Lost   int             `json:"lost,omitempty"`
}

// Client is what the behavior of a client depends on.
type Client struct {
	// Begun is when the recording began, by the clock of the process.
	Begun time.Time `json:"begun"`
	// Kontinue and Go are the versions of the library, if it is known, and of Go.
	Kontinue string `json:"kontinue,omitempty"`
	Go       string `json:"go"`
	// HTTP reports whether the clientset reaches a server.
	HTTP bool `json:"http,omitempty"`

	Namespace     string                  `json:"namespace,omitempty"`
	Namespaces    []string                `json:"namespaces,omitempty"`
	AllNamespaces bool                    `json:"allNamespaces,omitempty"`
	Group         string                  `json:"group"`
	StartTimeout  time.Duration           `json:"startTimeout,omitempty"`
	StopTimeout   time.Duration           `json:"stopTimeout,omitempty"`
	StartLimits   starts.Limits           `json:"startLimits,omitempty"`
	PodTemplate   *corev1.PodTemplateSpec `json:"podTemplate,omitempty"`
	MaxInFlight   int                     `json:"maxInFlight,omitempty"`
	MaxRunning    int                     `json:"maxRunning,omitempty"`
	MaxLogStreams int                     `json:"maxLogStreams,omitempty"`
}

// Step is a step that begins.
type Step struct {
	// Run identifies the run of the function among those of the client.
	Run uint64 `json:"run"`
	// Execution is that of the run.
	Execution step.Execution `json:"execution"`
	// Name is the step's name. That of an unnamed step is its ordinal.
	Name    string `json:"name"`
	Unnamed bool   `json:"unnamed,omitempty"`
	// Hash stands for that of what was submitted.
	Hash string `json:"hash"`
	// Job is the spec of the Job, before the template of the Config is merged.
	Job *batchv1.JobSpec `json:"job"`

	SinglePod    bool              `json:"singlePod,omitempty"`
	Until        step.Until        `json:"until,omitempty"`
	Timeout      time.Duration     `json:"timeout,omitempty"`
	StartLimits  starts.Limits     `json:"startLimits,omitempty"`
	Retry        step.Retry        `json:"retry"`
	Queue        string            `json:"queue,omitempty"`
	Labels       map[string]string `json:"labels,omitempty"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	SecretKeys   []string          `json:"secretKeys,omitempty"`
	SecretVolume string            `json:"secretVolume,omitempty"`
	CancelOnDone bool              `json:"cancelOnDone,omitempty"`
	// Logs reports whether the step has a writer for its logs.
	Logs bool `json:"logs,omitempty"`
}

// End is how a step has ended.
type End struct {
	// State is Succeeded or Failed, and empty without a result. Text is then why, and Is are
	// the names of the errors that it wraps.
	State string   `json:"state,omitempty"`
	Text  string   `json:"text,omitempty"`
	Is    []string `json:"is,omitempty"`
	// The others are those of a failed result.
	Class     causes.Class `json:"class,omitempty"`
	Reason    string       `json:"reason,omitempty"`
	Pod       string       `json:"pod,omitempty"`
	Container string       `json:"container,omitempty"`
	ExitCode  int32        `json:"exitCode,omitempty"`
	// Job is the name of the step's newest Job, and Adopted reports whether it existed.
	Job     string `json:"job,omitempty"`
	Adopted bool   `json:"adopted,omitempty"`
}

// Request identifies a request.
type Request struct {
	Verb      string `json:"verb"`
	Resource  string `json:"resource"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Selector is the label or field selector of a list or watch.
	Selector string `json:"selector,omitempty"`
	// Changes are the paths that a patch sets or removes, without the values.
	Changes []string `json:"changes,omitempty"`
}

// String returns the request as text: "patch jobs ns/name". The changes of a patch are no
// part of it.
func (r Request) String() string {
	text := r.Verb + " " + r.Resource
	if r.Namespace != "" || r.Name != "" {
		text += " " + r.Namespace
	}
	if r.Name != "" {
		text += "/" + r.Name
	}
	if r.Selector != "" {
		text += " (" + r.Selector + ")"
	}
	return text
}

// Key is equal for requests that may have each other's answer.
func (r Request) Key() string { return r.String() + " " + strings.Join(r.Changes, ",") }

// Error is why a request has no object.
type Error struct {
	// Status is the answer of the API server.
	Status *metav1.Status `json:"status,omitempty"`
	// Text is the error without an answer.
	Text string `json:"text,omitempty"`
	// Canceled and Deadline report whether a context has ended.
	Canceled bool `json:"canceled,omitempty"`
	Deadline bool `json:"deadline,omitempty"`
}
