//go:build !race

package pods_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/pods"
)

// story is a Job that runs in the test, one thing in each second, with a controller that
// looks now and then. It knows why it has ended, since it goes forward in time.
type story struct {
	rnd         *rand.Rand
	now         int
	reason      string // by which it is to end
	limit       int32  // backoffLimit or maxFailedIndexes
	parallelism int
	perIndex    int32 // backoffLimitPerIndex
	policy      *batchv1.PodFailurePolicy
	byHand      bool // pods are deleted by others; otherwise too many of them are removed
	most        int  // pods

	pods    []*corev1.Pod
	index   []int // of each pod, or -1
	active  map[int]bool
	parts   map[types.UID]pods.Part // what each pod was
	counted []int                   // failures in their order
	unseen  []int                   // of them those that the controller has not seen
	tries   map[int]int32           // failures by index
	failed  []int                   // pods that were the last try of their index
	indexes map[int]bool            // failed
	end     pods.JobEnd
	decided int // the pod that decides, or -1
}

const (
	codeIgnored = 50
	codeFailJob = 42
)

func newStory(seed uint64) *story {
	rnd := rand.New(rand.NewPCG(seed, 14))
	s := &story{
		rnd:         rnd,
		reason:      []string{"BackoffLimitExceeded", "BackoffLimitExceeded", "PodFailurePolicy", "MaxFailedIndexesExceeded", "FailedIndexes", "DeadlineExceeded"}[seed%6],
		parallelism: 1 + rnd.IntN(40),
		perIndex:    int32(rnd.IntN(3)),
		byHand:      rnd.IntN(2) == 0,
		most:        1 + rnd.IntN(1000),
		active:      map[int]bool{}, parts: map[types.UID]pods.Part{}, tries: map[int]int32{}, indexes: map[int]bool{},
		decided: -1,
	}
	s.limit = int32(rnd.IntN(1 + s.most/2))
	if s.reason == "MaxFailedIndexesExceeded" {
		s.limit /= 8
	}
	if s.reason == "PodFailurePolicy" || rnd.IntN(2) == 0 {
		rule := func(a batchv1.PodFailurePolicyAction, code int32) batchv1.PodFailurePolicyRule {
			return batchv1.PodFailurePolicyRule{Action: a, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{Operator: "In", Values: []int32{code}}}
		}
		s.policy = &batchv1.PodFailurePolicy{Rules: []batchv1.PodFailurePolicyRule{rule("Ignore", codeIgnored), rule("FailJob", codeFailJob)}}
	}
	s.end = pods.JobEnd{Failed: true, Started: at(0).Time}
	return s
}

func (s *story) byIndex() bool {
	return s.reason == "MaxFailedIndexesExceeded" || s.reason == "FailedIndexes"
}

// create makes a pod of an index, or of none.
func (s *story) create(index int) {
	i := len(s.pods)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: fmt.Sprintf("p-%08x", s.rnd.Uint32()), UID: types.UID(fmt.Sprint(i))}}
	if index >= 0 {
		p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: fmt.Sprint(index)}
	}
	p.Spec.Containers = []corev1.Container{{Name: "main"}}
	p.Status.Phase, p.Status.StartTime = corev1.PodRunning, new(at(s.now))
	s.pods, s.index = append(s.pods, p), append(s.index, index)
	s.active[i] = true
}

func (s *story) exit(i int, code int32, reason string) {
	p := s.pods[i]
	p.Status.Phase = corev1.PodFailed
	if code == 0 {
		p.Status.Phase = corev1.PodSucceeded
	}
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "main", State: exited(code, reason, s.now, "")}}
	delete(s.active, i)
}

// stop deletes the pod, which ends some seconds later.
func (s *story) stop(i int, part pods.Part) {
	p := s.pods[i]
	p.DeletionTimestamp, p.DeletionGracePeriodSeconds = new(at(s.now+30)), new(int64(30))
	began := s.now
	s.now += s.rnd.IntN(3)
	s.exit(i, 143, "Error")
	s.now = began
	s.parts[p.UID] = part
}

func (s *story) anyActive() int {
	all := slices.Sorted(maps.Keys(s.active))
	return all[s.rnd.IntN(len(all))]
}

// fail counts a failure.
func (s *story) fail(i int) {
	s.counted, s.unseen = append(s.counted, i), append(s.unseen, i)
}

// happen lets a pod end, or something happen to it.
func (s *story) happen() {
	i := s.anyActive()
	uid := s.pods[i].UID
	switch dice := s.rnd.IntN(20); {
	case dice < 2 && !s.byIndex():
		s.exit(i, 0, "Completed")
	case dice == 2 && s.policy != nil:
		s.exit(i, codeIgnored, "Error")
		s.parts[uid] = pods.PartIgnored
	case dice == 3 && s.reason == "PodFailurePolicy" && s.rnd.IntN(10) == 0:
		s.exit(i, codeFailJob, "Error")
		s.parts[uid] = pods.PartCounted
		s.fail(i)
	case dice == 4 && s.byHand && !s.byIndex():
		s.stop(i, pods.PartRemoved)
		s.fail(i)
	case dice == 4 && !s.byIndex():
		s.stop(i, pods.PartRemoved)
	case dice == 5 && s.rnd.IntN(10) == 0:
		s.suspend()
	default:
		s.exit(i, 1, []string{"Error", "OOMKilled"}[s.rnd.IntN(2)])
		s.parts[uid] = pods.PartCounted
		s.fail(i)
	}
}

// suspend stops all pods and starts the Job anew. Those that had been removed before are
// of its last life too.
func (s *story) suspend() {
	for _, i := range slices.Sorted(maps.Keys(s.active)) {
		s.stop(i, pods.PartSuspended)
	}
	for uid, part := range s.parts {
		if part == pods.PartRemoved {
			s.parts[uid] = pods.PartSuspended
		}
	}
	s.counted = slices.DeleteFunc(s.counted, func(i int) bool { return s.parts[s.pods[i].UID] == pods.PartSuspended })
	s.now += 5
	s.end.Started = at(s.now).Time
}

// sync is what the Job controller does.
func (s *story) sync() (done bool) {
	for _, i := range s.unseen {
		index := s.index[i]
		if s.tries[index]++; s.byIndex() && s.tries[index] > s.perIndex {
			s.indexes[index] = true
			s.failed = append(s.failed, i)
		}
	}
	newest := s.unseen
	s.unseen = nil
	switch {
	case s.reason == "PodFailurePolicy":
		for _, i := range newest {
			if s.pods[i].Status.ContainerStatuses[0].State.Terminated.ExitCode == codeFailJob {
				s.decided = i // the last of them; the controller takes any
				s.end.Message = fmt.Sprintf("Container main for pod ns/%s failed with exit code 42 matching FailJob rule at index 1", s.pods[i].Name)
			}
		}
		done = s.decided >= 0
	case s.reason == "BackoffLimitExceeded":
		if done = len(s.counted) > int(s.limit); done {
			s.decided = s.counted[s.limit]
		}
	case s.reason == "MaxFailedIndexesExceeded":
		if done = len(s.failed) > int(s.limit); done {
			s.decided = s.failed[s.limit]
		}
	}
	if done || len(s.pods) >= s.most {
		return true
	}
	for len(s.active) < s.parallelism && len(s.pods) < s.most {
		index := -1
		if s.byIndex() {
			for index = s.rnd.IntN(2000); s.indexes[index] || s.taken(index); index++ {
			}
		}
		s.create(index)
	}
	return false
}

func (s *story) taken(index int) bool {
	for i := range s.active {
		if s.index[i] == index {
			return true
		}
	}
	return false
}

// run tells the story, and returns the pods in a random order.
func (s *story) run() []pods.Outcome {
	s.sync()
	for {
		for range 1 + s.rnd.IntN(6) {
			if s.now++; len(s.active) > 0 {
				s.happen()
			}
		}
		if s.now++; s.sync() {
			break
		}
	}
	if s.decided < 0 && s.reason == "FailedIndexes" && len(s.failed) > 0 {
		s.decided = s.failed[0]
	}
	if s.decided < 0 && s.reason != "FailedIndexes" {
		s.reason = "DeadlineExceeded"
	}
	s.end.Reason, s.end.Decided = s.reason, at(s.now).Time
	switch s.reason {
	case "BackoffLimitExceeded":
		s.end.BackoffLimit = &s.limit
	case "MaxFailedIndexesExceeded":
		s.end.MaxFailedIndexes = &s.limit
	}
	for _, i := range slices.Sorted(maps.Keys(s.active)) {
		s.now += s.rnd.IntN(2)
		s.stop(i, pods.PartStopped)
		s.end.FailedPods++ // the controller counts them too
		s.indexes[s.index[i]] = true
	}
	if s.byIndex() {
		var text string
		for _, index := range slices.Sorted(maps.Keys(s.indexes)) {
			text += fmt.Sprintf(",%d", index)
		}
		s.end.FailedIndexes = new(text[min(1, len(text)):])
	}
	for _, p := range s.parts {
		if p == pods.PartCounted {
			s.end.FailedPods++
		}
	}
	if s.byHand {
		for _, i := range s.counted {
			if s.parts[s.pods[i].UID] == pods.PartRemoved {
				s.end.FailedPods++
			}
		}
	}
	if s.decided >= 0 {
		after := slices.Index(s.counted, s.decided) + 1
		s.parts[s.pods[s.decided].UID] = pods.PartDecided
		for _, i := range s.counted[after:] {
			if uid := s.pods[i].UID; s.parts[uid] == pods.PartCounted && s.reason != "FailedIndexes" {
				s.parts[uid] = pods.PartLater
			}
		}
	}
	var all []pods.Outcome
	for _, p := range s.pods {
		all = append(all, pods.Inspect(p).Judge(s.policy, p))
	}
	s.shuffle(all)
	return all
}

func (s *story) shuffle(all []pods.Outcome) {
	s.rnd.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
}
