package main

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// groupVersion is that of the kind Pipeline.
var groupVersion = schema.GroupVersion{Group: "recipes.example.com", Version: "v1"}

// Pipeline runs scripts one after the other. Each Pipeline is an Execution.
type Pipeline struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PipelineSpec   `json:"spec"`
	Status PipelineStatus `json:"status,omitempty"`
}

// PipelineSpec is what a Pipeline runs.
type PipelineSpec struct {
	Image   string         `json:"image"`
	Steps   []PipelineStep `json:"steps"`
	Retries int            `json:"retries,omitempty"`
}

// PipelineStep is a script.
type PipelineStep struct {
	Name    string `json:"name"`
	Command string `json:"command"`
}

// PipelineStatus is what has become of it.
type PipelineStatus struct {
	// Phase is Running, Succeeded or Failed, and empty before the first step.
	Phase string `json:"phase,omitempty"`
	// Attempts is the number of retries so far.
	Attempts int `json:"attempts,omitempty"`
	// Step is the step that is running or has run last.
	Step string `json:"step,omitempty"`
	// Message is why the last attempt that failed did.
	Message string `json:"message,omitempty"`
}

// The phases of a Pipeline.
const (
	running   = "Running"
	succeeded = "Succeeded"
	failed    = "Failed"
)

// PipelineList is a list of them.
type PipelineList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Pipeline `json:"items"`
}

// DeepCopyObject is usually generated.
func (p *Pipeline) DeepCopyObject() runtime.Object {
	out := *p
	out.ObjectMeta = *p.ObjectMeta.DeepCopy()
	out.Spec.Steps = slices.Clone(p.Spec.Steps)
	return &out
}

// DeepCopyObject is usually generated.
func (l *PipelineList) DeepCopyObject() runtime.Object {
	out := *l
	out.Items = make([]Pipeline, 0, len(l.Items))
	for i := range l.Items {
		out.Items = append(out.Items, *l.Items[i].DeepCopyObject().(*Pipeline)) //nolint:errcheck // it is one
	}
	return &out
}

// newScheme returns a scheme with the kind.
func newScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	scheme.AddKnownTypes(groupVersion, &Pipeline{}, &PipelineList{})
	metav1.AddToGroupVersion(scheme, groupVersion)
	return scheme
}
