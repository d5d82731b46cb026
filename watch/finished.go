package watch

import (
	"math"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/identity"
)

// finishedJob is what is kept of a Job whose outcome is recorded: what a later
// call of its step needs. It may stay for long, so it is small; of the status
// only the verdict and the counts are left.
type finishedJob struct {
	name, version         string
	texts                 string // UID, step, hash and outcome, in one piece of memory
	uidLen, step, hash    uint8  // how much of it the first three take
	squeezed              squeezedTexts
	terminal, failed      bool
	canceled              bool
	recent                bool // its Pods are kept
	origin                *origin
	created               int64 // Unix seconds
	deleting              *metav1.Time
	ttl                   *int32
	attempt          int32
	succeeded, failedPods int32
}

// squeezedTexts tells which of the texts are squeezed.
type squeezedTexts uint8

const (
	squeezedUID squeezedTexts = 1 << iota
	squeezedHash
	squeezedOutcome
)

func (f *finishedJob) uid() types.UID {
	text := f.texts[:f.uidLen]
	if f.squeezed&squeezedUID != 0 {
		text = unsqueezeUID(text)
	}
	return types.UID(text)
}

func (f *finishedJob) stepName() string { return f.texts[f.uidLen:][:f.step] }

func (f *finishedJob) specHash() string {
	text := f.texts[f.uidLen:][f.step:][:f.hash]
	if f.squeezed&squeezedHash != 0 {
		return unsqueezeHash(text)
	}
	return text
}

func (f *finishedJob) outcome() string {
	text := f.texts[f.uidLen:][f.step:][f.hash:]
	if f.squeezed&squeezedOutcome != 0 {
		return unsqueezer.Replace(text)
	}
	return text
}

// origin is what the Jobs of one Execution have in common.
type origin struct {
	namespace, group string
	execution, owner types.UID
}

// origins lets Jobs of one Execution share it. The store uses it for
// Jobs. It remembers a bounded number; beyond that some are stored twice.
type origins map[origin]*origin

const maxOrigins = 1024

func (o *origins) of(job *Job) *origin {
	key := origin{job.Namespace, job.Group, job.ExecutionUID, job.OwnerUID}
	if known := (*o)[key]; known != nil {
		return known
	}
	if *o == nil || len(*o) >= maxOrigins {
		*o = origins{}
	}
	(*o)[key] = &key
	return &key
}

// newFinishedJob returns nil for a Job that cannot be kept small: no API server made
// its UID, or kontinue its step and hash, if they are so long.
func newFinishedJob(job *Job, origins *origins) *finishedJob {
	var flags squeezedTexts
	smaller := func(text string, squeeze func(string) string, flag squeezedTexts) string {
		small := squeeze(text)
		if len(small) < len(text) {
			flags |= flag
		}
		return small
	}
	uid, hash := smaller(string(job.UID), squeezeUID, squeezedUID), smaller(job.SpecHash, squeezeHash, squeezedHash)
	outcome := smaller(job.Record, squeeze, squeezedOutcome)
	if max(len(uid), len(job.Step), len(hash)) > math.MaxUint8 {
		return nil
	}
	f := &finishedJob{
		name: job.Name, version: job.ResourceVersion,
		texts:  uid + job.Step + hash + outcome,
		uidLen: uint8(len(uid)), step: uint8(len(job.Step)), hash: uint8(len(hash)),
		squeezed: flags,
		origin:   origins.of(job),
		created:  job.CreationTimestamp.Unix(), deleting: job.DeletionTimestamp, ttl: job.TTLSeconds,
		attempt: int32(job.Attempt),
		succeeded: job.Status.Succeeded, failedPods: job.Status.Failed, canceled: job.Canceled,
	}
	for _, c := range job.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			f.terminal, f.failed = true, c.Type == batchv1.JobFailed
		}
	}
	return f
}

// job is the Job again, as far as it was kept.
func (f *finishedJob) job() *Job {
	job := &Job{
		Meta: Meta{
			Namespace: f.origin.namespace, Name: f.name, UID: f.uid(), ResourceVersion: f.version,
			CreationTimestamp: metav1.NewTime(time.Unix(f.created, 0)), DeletionTimestamp: f.deleting,
		},
		Metadata: identity.Metadata{
			Group: f.origin.group, ExecutionUID: f.origin.execution, Step: f.stepName(),
			Attempt: int(f.attempt), SpecHash: f.specHash(), Record: f.outcome(), TTLSeconds: f.ttl, Canceled: f.canceled,
		},
		OwnerUID: f.origin.owner,
		Status:   batchv1.JobStatus{Succeeded: f.succeeded, Failed: f.failedPods},
	}
	if f.terminal {
		verdict := batchv1.JobComplete
		if f.failed {
			verdict = batchv1.JobFailed
		}
		job.Status.Conditions = []batchv1.JobCondition{{Type: verdict, Status: corev1.ConditionTrue}}
	}
	return job
}
