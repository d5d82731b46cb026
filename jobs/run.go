package jobs

import (
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/internal/record"
)

// Found is a Job that was found in a list or in a cache, as far as a plan needs it.
type Found struct {
	// Name of the Job.
	Name string
	// UID of the Job; namespace/name stands for a missing one.
	UID types.UID
	// OwnerUID is the UID of the Job's controller owner reference, empty without one.
	OwnerUID types.UID
	// Metadata is what kontinue wrote on the Job.
	Metadata identity.Metadata
	// Contents is a hash of what the Job's containers run; 0 means that it is not known.
	Contents uint64
	// Terminal and Failed are as in [Status].
	Terminal, Failed bool
	// Deleting reports whether the Job has a deletion timestamp.
	Deleting bool
}

func find(job *batchv1.Job) Found {
	s := StatusOf(job)
	f := Found{
		Name: job.Name, UID: apicall.UIDOf(job.UID, job.Namespace, job.Name), Metadata: identity.MetadataOf(job),
		Contents: identity.Contents(&job.Spec.Template.Spec),
		Terminal: s.Terminal, Failed: s.Failed, Deleting: job.DeletionTimestamp != nil,
	}
	if owner := metav1.GetControllerOfNoCopy(job); owner != nil {
		f.OwnerUID = owner.UID
	}
	return f
}

// endOf is when a run ended, by a clock of the control plane: the end of an early record is by
// that of the pod's node.
func endOf(r record.Record) time.Time {
	if (r.Early || r.Ended.IsZero()) && !r.Seen.IsZero() {
		return r.Seen
	}
	return r.Ended
}

// runOf returns the Job as a run of the request's step. It returns false for any other
// Job, such as a copy made by hand: another object controls it, or its name is not that
// of a run.
func (r *Request) runOf(f Found) (Run, bool) {
	number, ok := identity.RunOf(r.Execution, r.Step, f.Name)
	if !ok || f.OwnerUID != r.Owner.UID {
		return Run{}, false
	}
	m := f.Metadata
	run := Run{
		Name: f.Name, UID: f.UID, Number: number, Attempt: m.Attempt, Group: m.Group, SpecHash: m.SpecHash,
		Terminal: f.Terminal, Failed: f.Failed, Deleting: f.Deleting, Record: m.Record, Labeled: m.RecordedLabel,
		Contents: f.Contents, CancelRequested: m.CancelRequested, TraceParent: m.TraceParent,
	}
	if m.Record == "" {
		return run, true
	}
	if rec, err := record.Decode(m.Record); err == nil {
		run.Recorded, run.RecordedAttempt, run.Failed = true, rec.Attempt, rec.Failed
		if r.Failed != nil && r.Attempt > run.Attempt { // or it decides nothing
			run.Failed = r.Failed(rec)
		}
		run.Ended = endOf(rec)
		if r.Retry != nil && (rec.Failed || r.Failed != nil && r.Failed(rec)) {
			run.Failure = r.Retry.Kind(rec)
		}
	}
	return run, true
}
