package pods

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// candidate is a pod that did not succeed.
type candidate struct {
	*Outcome
	pod  int
	part Part
	end  time.Time
	last bool // it was the last try of an index that failed
}

// blame orders the candidates.
type blame struct {
	JobEnd
	outcomes   []Outcome
	candidates []candidate
}

func (b *blame) order() []candidate {
	slices.SortFunc(b.candidates, byEnd)
	for i := range b.candidates {
		b.candidates[i].part = b.part(&b.candidates[i])
	}
	if b.Failed {
		b.decide()
	}
	slices.SortStableFunc(b.candidates, func(x, y candidate) int {
		forward := byEnd(x, y)
		if x.part != PartLater {
			forward = -byTime(x, y)
		}
		return cmp.Or(b.group(x)-b.group(y), boolToInt(y.last)-boolToInt(x.last), forward, byEnd(x, y))
	})
	return b.candidates
}

// group is the place of a pod's part in the order. Where pods had no say in the decision,
// those that were removed before it are as little to blame as those that it stopped.
func (b *blame) group(c candidate) int {
	if c.part == PartRemoved && !b.DecidedByPods() {
		return int(PartStopped)
	}
	return int(c.part)
}

// byEnd orders by the time of the failure, and among equals such that the order of the
// list makes no difference.
func byEnd(x, y candidate) int {
	return cmp.Or(byTime(x, y), cmp.Compare(x.index(), y.index()), x.StartedAt.Compare(y.StartedAt), strings.Compare(x.Name, y.Name))
}

func byTime(x, y candidate) int { return x.end.Compare(y.end) }

// failedAt is when the pod failed, as well as that is known: when it was stopped, or when
// its last container ended.
func (o Outcome) failedAt() time.Time {
	for _, t := range []time.Time{o.StoppedAt, o.FinishedAt} {
		if !t.IsZero() {
			return t
		}
	}
	return o.StartedAt
}

// index is the pod's completion index, or -1.
func (o Outcome) index() int {
	if o.Index == nil {
		return -1
	}
	return *o.Index
}

// part is that of one pod by itself.
func (b *blame) part(c *candidate) Part {
	switch {
	case c.Ignored:
		return PartIgnored
	case !c.StoppedAt.IsZero() && c.StoppedAt.Before(b.Started):
		return PartSuspended
	case !c.StoppedAt.IsZero() && c.hadFailed():
		return PartLater
	case !c.StoppedAt.IsZero() && c.StoppedAt.Before(b.Decided):
		return PartRemoved
	case !c.StoppedAt.IsZero():
		return PartStopped
	case c.failed():
		return PartCounted
	case c.Deleted:
		return PartRemoved
	}
	return PartUnknown
}

// failed reports whether the pod has ended, or one of its containers has failed.
func (o Outcome) failed() bool {
	_, failed := o.FirstFailure()
	return failed || o.Phase == corev1.PodFailed
}

// Stopped reports whether the pod was deleted before it had ended, and no container of it
// had failed by itself before that.
func (o Outcome) Stopped() bool { return !o.StoppedAt.IsZero() && !o.hadFailed() }

// hadFailed reports whether a container of the pod had failed by itself before the pod was
// stopped: it was to be restarted, or to end with the others.
func (o Outcome) hadFailed() bool {
	return slices.ContainsFunc(o.Containers, func(c ContainerOutcome) bool {
		own := o.own(c)
		return c.Kind != KindSidecar && (!o.stopped(own) && own.failed() || c.Previous != nil && c.Previous.failed())
	})
}

// decide finds the failure that decided among the candidates, which are in the order of
// their ends.
func (b *blame) decide() {
	if b.Decider != "" {
		b.splitAt(b.Decider)
		return
	}
	switch b.reason() {
	case batchv1.JobReasonBackoffLimitExceeded:
		b.exceeded(b.tries(), b.BackoffLimit)
	case batchv1.JobReasonMaxFailedIndexesExceeded:
		b.exceeded(b.lastTries(), b.MaxFailedIndexes)
	case batchv1.JobReasonFailedIndexes:
		b.exceeded(b.lastTries(), new(int32(0)))
	case batchv1.JobReasonPodFailurePolicy:
		b.splitAt(namedPod(b.Message))
	}
}

// splitAt is split for the pod of that name, if it is a candidate.
func (b *blame) splitAt(name string) {
	for i := range b.candidates {
		if b.candidates[i].Name == name {
			b.split(i)
		}
	}
}

// exceeded takes the first of the failures that exceeds the limit for the one that
// decided. Where the limit is unknown, or failures are missing, it is the last one.
func (b *blame) exceeded(failures []int, limit *int32) {
	if len(failures) == 0 {
		return
	}
	at := len(failures) - 1
	if limit != nil && int(*limit) < at && *limit >= 0 {
		at = int(*limit)
	}
	b.split(failures[at])
}

// split makes a candidate the one that decided. Those that failed after it had no part in
// the decision, except for the last tries of other indexes: each of them is as bad.
func (b *blame) split(decided int) {
	b.candidates[decided].part = PartDecided
	for i := decided + 1; i < len(b.candidates); i++ {
		if c := &b.candidates[i]; c.part == PartCounted && (b.Reason != batchv1.JobReasonFailedIndexes) {
			c.part = PartLater
		}
	}
}

// tries are the failures that count towards backoffLimit: of pods that failed by
// themselves, and of those that were deleted by others, if the Job has counted those. Pods
// that it removed itself, because they were too many, look the same, and it did not count
// them. Where all were stopped it is the restarts of their containers that counted.
func (b *blame) tries() []int {
	var own, removed, restarted []int
	others := 0
	for i := range b.candidates {
		switch b.candidates[i].part {
		case PartCounted:
			own = append(own, i)
		case PartRemoved:
			removed = append(removed, i)
			continue
		case PartLater:
			if !b.candidates[i].lastFailure().IsZero() {
				restarted = append(restarted, i)
			}
		case PartSuspended, PartIgnored, PartUnknown:
			continue
		}
		others++
	}
	if len(removed) > 0 && b.FailedPods-b.Lost-others >= len(removed) {
		own = append(own, removed...)
		slices.Sort(own)
	}
	if len(restarted) == 0 || b.BackoffLimit != nil && len(own) > int(*b.BackoffLimit) {
		return own
	}
	// How often each was restarted decided: the one that failed last is the last try.
	last := slices.MaxFunc(restarted, func(x, y int) int {
		return b.candidates[x].lastFailure().Compare(b.candidates[y].lastFailure())
	})
	return []int{last}
}

// lastFailure is when a container failed for the last time before it was restarted: with
// restartPolicy OnFailure those are the Job's tries. Zero means that none was.
func (o Outcome) lastFailure() (last time.Time) {
	for _, c := range o.Containers {
		if c.Kind != KindSidecar && c.Previous != nil && c.Previous.failed() && c.Previous.FinishedAt.After(last) {
			last = c.Previous.FinishedAt
		}
	}
	return last
}

// lastTries are the last tries of the indexes that failed. An index that the Job
// controller was trying again when it stopped the Job had not failed, although it is
// listed as such: the newest pod of the index was stopped.
func (b *blame) lastTries() []int {
	failed := indexSet(b.FailedIndexes)
	newest := map[int]*Outcome{}
	for i := range b.outcomes {
		o := &b.outcomes[i]
		if n := newest[o.index()]; n == nil || cmp.Or(o.StartedAt.Compare(n.StartedAt), o.failedAt().Compare(n.failedAt()), strings.Compare(o.Name, n.Name)) > 0 {
			newest[o.index()] = o
		}
	}
	var own, removed []int
	for i := range b.candidates {
		c := &b.candidates[i]
		if c.Index == nil || newest[*c.Index] != c.Outcome || !failed(*c.Index) {
			continue
		}
		switch c.part {
		case PartCounted:
			c.last = true
			own = append(own, i)
		case PartRemoved:
			removed = append(removed, i)
		}
	}
	if len(own) == 0 {
		return removed
	}
	return own
}

// indexSet reads status.failedIndexes, such as "1,3-5". Without one every index is in it.
func indexSet(text *string) func(int) bool {
	if text == nil {
		return func(int) bool { return true }
	}
	var from, to []int
	for part := range strings.SplitSeq(*text, ",") {
		first, last, both := strings.Cut(part, "-")
		if !both {
			last = first
		}
		low, err := strconv.Atoi(first)
		high, err2 := strconv.Atoi(last)
		if err == nil && err2 == nil {
			from, to = append(from, low), append(to, high)
		}
	}
	return func(index int) bool {
		i, found := slices.BinarySearch(from, index)
		return found || i > 0 && index <= to[i-1]
	}
}

// namedPod returns the name of the pod in the message of a FailJob rule: "Container c for
// pod ns/name failed with exit code 42 ..." or "Pod ns/name has condition ...".
func namedPod(message string) string {
	words := strings.Fields(message)
	for i, word := range words[:max(0, len(words)-1)] {
		if strings.EqualFold(word, "pod") {
			if _, name, ok := strings.Cut(words[i+1], "/"); ok {
				return name
			}
		}
	}
	return ""
}
