package pods_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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

// names are those of the failed pods, in order.
func names(all []pods.Outcome, failures []pods.Failure) []string {
	var out []string
	for _, f := range failures {
		out = append(out, all[f.Pod].Name)
	}
	return out
}

// requireOrder requires that victims come last, that of the failures that count those
// come first which made an index fail, then the latest, and of later ones the earliest.
func (s *story) requireOrder(t *testing.T, all []pods.Outcome, failures []pods.Failure) {
	t.Helper()
	spoilt := map[string]bool{}
	if s.byIndex() {
		for _, i := range s.failed {
			spoilt[s.pods[i].Name] = true
		}
	}
	for i, f := range failures[min(1, len(failures)):] {
		before, o, last := failures[i].Part, all[f.Pod], all[failures[i].Pod]
		ordered := true
		switch {
		case before != f.Part:
			ordered = f.Part.Victim() || !before.Victim()
		case !f.Part.Victim() && spoilt[o.Name] != spoilt[last.Name]:
			ordered = spoilt[last.Name]
		case f.Part == pods.PartCounted:
			ordered = !o.FinishedAt.After(last.FinishedAt)
		case f.Part == pods.PartLater:
			ordered = !o.FinishedAt.Before(last.FinishedAt)
		}
		if !ordered {
			require.Fail(t, "wrong order", "%s: %s after %s", s.reason, o.UID, last.UID)
		}
	}
}

// TestFailuresOfRandomJobs runs Jobs of up to 1,000 pods forward, and requires that what
// is left of each tells which pod is to blame.
func TestFailuresOfRandomJobs(t *testing.T) {
	t.Parallel()
	decided, most := map[string]int{}, 0
	for seed := range uint64(180) {
		s := newStory(seed)
		all := s.run()
		most = max(most, len(all))
		failures := s.end.Failures(all)

		// Each failure is there once, with the part that it had.
		seen, want, got := map[int]bool{}, make([]pods.Part, len(failures)), make([]pods.Part, len(failures))
		for i, f := range failures {
			seen[f.Pod], got[i], want[i] = true, f.Part, s.parts[all[f.Pod].UID]
		}
		require.Equal(t, want, got, "seed %d, %s", seed, s.reason)
		require.Len(t, seen, len(failures), "seed %d", seed)
		for i, o := range all {
			if o.Succeeded() == seen[i] {
				require.Equal(t, !o.Succeeded(), seen[i], "seed %d, pod %s", seed, o.UID)
			}
		}
		s.requireOrder(t, all, failures)
		if s.decided >= 0 {
			require.Equal(t, s.pods[s.decided].Name, all[failures[0].Pod].Name, "seed %d, %s", seed, s.reason)
			decided[s.reason]++
		}

		// The order of the pods makes no difference.
		other := slices.Clone(all)
		s.shuffle(other)
		order := names(all, failures)
		require.Equal(t, order, names(other, s.end.Failures(other)), "seed %d", seed)

		// The record keeps it, however few pods it has room for: nothing else is needed.
		for i, f := range failures {
			all[f.Pod].Rank, all[f.Pod].Part = i+1, f.Part
		}
		text, cut, err := pods.Encode(all, 4096)
		require.NoError(t, err)
		kept, _, err := pods.Decode(text)
		require.NoError(t, err)
		recorded := pods.JobEnd{}.Failures(kept)
		require.True(t, cut || len(recorded) == len(failures), "seed %d", seed)
		require.Equal(t, order[:len(recorded)], names(kept, recorded), "seed %d", seed)
		require.GreaterOrEqual(t, len(recorded), min(len(failures), 5), "seed %d", seed)
		for i, f := range recorded {
			require.Equal(t, got[i], f.Part)
			require.Equal(t, all[failures[i].Pod].OOMKilled(), kept[f.Pod].OOMKilled())
		}
	}
	require.Greater(t, most, 900)
	for _, reason := range []string{"BackoffLimitExceeded", "PodFailurePolicy", "MaxFailedIndexesExceeded", "FailedIndexes"} {
		require.Greater(t, decided[reason], 10, reason)
	}
}

// failedPod is one that failed with the code at a second.
func failedPod(name string, code int32, finished int, options ...option) *corev1.Pod {
	p := pod("Failed", append([]option{mainC("main", exited(code, "Error", finished, ""))}, options...)...)
	p.Name = name
	return p
}

// stoppedPod is one whose deletion began at a second.
func stoppedPod(name string, began int, options ...option) *corev1.Pod {
	p := failedPod(name, 143, began+1, options...)
	p.DeletionTimestamp = new(at(began))
	return p
}

func ofIndex(i int) option {
	return func(p *corev1.Pod) {
		p.Annotations = map[string]string{batchv1.JobCompletionIndexAnnotation: fmt.Sprint(i)}
	}
}

// lastRun makes the container one that was restarted.
func lastRun(code int32, reason string, finished int) option {
	return func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].LastTerminationState = exited(code, reason, finished, "")
	}
}

// TestFailures has what the random Jobs do not have.
func TestFailures(t *testing.T) {
	t.Parallel()
	exceeded := func(limit int32, failed, lost int) pods.JobEnd {
		return pods.JobEnd{Failed: true, Reason: "BackoffLimitExceeded", BackoffLimit: &limit, Decided: at(20).Time, Started: at(1).Time, FailedPods: failed, Lost: lost}
	}
	lost := failedPod("lost", 0, 0)
	lost.Status.Phase, lost.Status.ContainerStatuses = corev1.PodRunning, nil
	for name, tc := range map[string]struct {
		end  pods.JobEnd
		pods []*corev1.Pod
		want string // name:part
	}{
		"nothing is known of the Job": {pods.JobEnd{}, []*corev1.Pod{failedPod("a", 1, 3), failedPod("b", 2, 5), stoppedPod("c", 4)}, "b:2 a:2 c:5"},
		"the only pod is drained":     {exceeded(0, 1, 0), []*corev1.Pod{stoppedPod("a", 10, condition(corev1.DisruptionTarget, "True", "EvictionByEvictionAPI", ""))}, "a:1"},
		"one is drained, its peer stopped for it": {
			exceeded(0, 2, 0), []*corev1.Pod{stoppedPod("a", 20), stoppedPod("b", 18)}, "b:1 a:5",
		},
		"the one that decided is lost":    {exceeded(0, 2, 1), []*corev1.Pod{stoppedPod("a", 20)}, "a:5"},
		"the limit is unknown":            {pods.JobEnd{Failed: true, Reason: "BackoffLimitExceeded"}, []*corev1.Pod{failedPod("a", 1, 3), failedPod("b", 2, 5)}, "b:1 a:2"},
		"fewer than the limit are known":  {exceeded(6, 7, 5), []*corev1.Pod{failedPod("a", 1, 3), failedPod("b", 2, 5)}, "b:1 a:2"},
		"in the same second":              {exceeded(0, 2, 0), []*corev1.Pod{failedPod("a", 1, 3, ofIndex(4)), failedPod("b", 2, 3, ofIndex(3))}, "b:1 a:3"},
		"by a condition":                  {pods.JobEnd{Failed: true, Reason: "PodFailurePolicy", Message: "Pod ns/b has condition DisruptionTarget matching FailJob rule at index 0"}, []*corev1.Pod{failedPod("a", 1, 3), failedPod("b", 2, 5)}, "b:1 a:2"},
		"by a pod that is not there":      {pods.JobEnd{Failed: true, Reason: "PodFailurePolicy", Message: "Container pod for pod ns/c failed with exit code 42"}, []*corev1.Pod{failedPod("a", 1, 3)}, "a:2"},
		"a message of another controller": {pods.JobEnd{Failed: true, Reason: "PodFailurePolicy", Message: "pod"}, []*corev1.Pod{failedPod("a", 1, 3)}, "a:2"},
		"restarts": {
			exceeded(2, 2, 0), []*corev1.Pod{stoppedPod("a", 20, lastRun(1, "Error", 15)), stoppedPod("b", 20, lastRun(137, "OOMKilled", 18)), stoppedPod("c", 20)}, "b:1 a:3 c:5",
		},
		"a deadline": {
			pods.JobEnd{Failed: true, Reason: "DeadlineExceeded", Decided: at(20).Time}, []*corev1.Pod{stoppedPod("a", 20), stoppedPod("b", 8), failedPod("c", 1, 9)}, "c:2 a:5 b:4",
		},
		"a container fails, and the pod does not end": {
			exceeded(0, 2, 0), []*corev1.Pod{failedPod("a", 1, 18), stoppedPod("b", 20, mainC("early", exited(137, "OOMKilled", 5, "")))}, "a:1 b:3",
		},
		"its end was not seen": {exceeded(0, 1, 0), []*corev1.Pod{lost, failedPod("a", 1, 3)}, "a:1 lost:8"},
		"complete":             {pods.JobEnd{Reason: "SuccessPolicy", Decided: at(20).Time}, []*corev1.Pod{stoppedPod("a", 20), failedPod("b", 1, 3), pod("Succeeded", mainC("main", exited(0, "", 9, "")))}, "b:2 a:5"},
		"no failed index":      {pods.JobEnd{Failed: true, Reason: "FailedIndexes", FailedIndexes: new("")}, []*corev1.Pod{failedPod("a", 1, 3, ofIndex(0))}, "a:2"},
		"an index by its pod's deletion": {
			pods.JobEnd{Failed: true, Reason: "FailedIndexes", FailedIndexes: new("0,2-4"), Decided: at(20).Time},
			[]*corev1.Pod{stoppedPod("a", 9, ofIndex(3)), failedPod("b", 1, 3, ofIndex(1))}, "a:1 b:2",
		},
	} {
		var all []pods.Outcome
		for _, p := range tc.pods {
			all = append(all, pods.Inspect(p))
		}
		var got []string
		for _, f := range tc.end.Failures(all) {
			got = append(got, fmt.Sprintf("%s:%d", all[f.Pod].Name, f.Part))
		}
		require.Equal(t, tc.want, strings.Join(got, " "), name)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	exit := func(a batchv1.PodFailurePolicyAction, op batchv1.PodFailurePolicyOnExitCodesOperator, container *string, codes ...int32) batchv1.PodFailurePolicyRule {
		return batchv1.PodFailurePolicyRule{Action: a, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{ContainerName: container, Operator: op, Values: codes}}
	}
	disrupted := batchv1.PodFailurePolicyRule{Action: "Ignore", OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{{Type: corev1.DisruptionTarget, Status: "True"}}}
	three := failedPod("a", 3, 5)
	for name, tc := range map[string]struct {
		pod   *corev1.Pod
		rules []batchv1.PodFailurePolicyRule
		want  bool
	}{
		"no rule":                  {three, nil, false},
		"the code":                 {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "In", nil, 2, 3)}, true},
		"another code":             {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "In", nil, 2)}, false},
		"not another code":         {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "NotIn", nil, 2)}, true},
		"an earlier rule":          {three, []batchv1.PodFailurePolicyRule{exit("Count", "In", nil, 3), exit("Ignore", "In", nil, 3)}, false},
		"its container":            {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "In", new("main"), 3)}, true},
		"another container":        {three, []batchv1.PodFailurePolicyRule{exit("Ignore", "In", new("side"), 3)}, false},
		"an init container":        {pod("Failed", initC("init", exited(3, "Error", 5, "")), mainC("main", waiting("PodInitializing", ""))), []batchv1.PodFailurePolicyRule{exit("Ignore", "In", nil, 3)}, true},
		"a condition":              {failedPod("a", 143, 5, condition(corev1.DisruptionTarget, "True", "x", "")), []batchv1.PodFailurePolicyRule{disrupted}, true},
		"a condition that is not":  {failedPod("a", 143, 5, condition(corev1.DisruptionTarget, "False", "x", "")), []batchv1.PodFailurePolicyRule{disrupted}, false},
		"a disrupted pod succeeds": {pod("Succeeded", mainC("main", exited(0, "", 5, "")), condition(corev1.DisruptionTarget, "True", "x", "")), []batchv1.PodFailurePolicyRule{disrupted}, false},
	} {
		require.Equal(t, tc.want, pods.Inspect(tc.pod).Judge(&batchv1.PodFailurePolicy{Rules: tc.rules}, tc.pod).Ignored, name)
	}
	require.False(t, pods.Inspect(three).Judge(nil, three).Ignored)
}

// TestRecordedRankIsStable: a record outlives the program that wrote it.
func TestRecordedRankIsStable(t *testing.T) {
	t.Parallel()
	all := []pods.Outcome{pods.Inspect(stoppedPod("a", 20, lastRun(1, "Error", 15)))}
	all[0].Rank, all[0].Part, all[0].Ignored, all[0].Containers[0].Injected = 1, pods.PartStopped, true, true
	text, _, err := pods.Encode(all, 0)
	require.NoError(t, err)
	require.JSONEq(t, `{"v":1,"pods":[{"n":"a","u":"uid-1","nd":"node-1","p":"Failed","t":true,"q":"2026-03-01T12:00:20Z","g":true,"b":1,"w":5,
		"s":"2026-03-01T12:00:00Z","f":"2026-03-01T12:00:21Z",
		"c":[{"n":"main","k":"main","s":"Terminated","e":143,"r":"Error","l":{"s":"Terminated","e":1,"r":"Error","f":"2026-03-01T12:00:15Z"},"j":true,
		"i":"registry.example/main:1","a":"2026-03-01T12:00:01Z","f":"2026-03-01T12:00:21Z"}]}]}`, text)
	back, _, err := pods.Decode(text)
	require.NoError(t, err)
	require.Equal(t, all, back)
	require.Equal(t, []int{1, 2, 3, 4, 5, 6, 7, 8}, []int{
		int(pods.PartDecided), int(pods.PartCounted), int(pods.PartLater), int(pods.PartRemoved),
		int(pods.PartStopped), int(pods.PartSuspended), int(pods.PartIgnored), int(pods.PartUnknown),
	}, "the numbers are in records")
}

// KEP-4443 adds the name of the rule to the reason.
func TestNamedPodFailurePolicy(t *testing.T) {
	t.Parallel()
	failed := func(name string, at int) pods.Outcome {
		o := pods.Inspect(pod("Failed", mainC("main", exited(42, "Error", at, ""))))
		o.Name = name
		return o
	}
	all := []pods.Outcome{failed("first", 1), failed("second", 2)}
	for reason, decided := range map[string]bool{
		batchv1.JobReasonPodFailurePolicy: true, "PodFailurePolicy_config": true, "PodFailurePolicyOfOthers": false,
	} {
		end := pods.JobEnd{Failed: true, Reason: reason, Message: "Container main for pod ns/first failed with exit code 42 matching FailJob rule at index 0"}
		require.Equal(t, decided, end.DecidedByPods())
		require.Equal(t, decided, end.Failures(all)[0] == pods.Failure{Pod: 0, Part: pods.PartDecided})
	}
}
