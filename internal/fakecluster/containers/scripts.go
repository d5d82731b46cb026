package containers

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// The kubelet's delays between two pulls of an image.
const (
	pullBackoff    = 10 * time.Second
	pullBackoffMax = 5 * time.Minute
)

// imageName is the form of an image reference: [domain/]path[:tag][@digest].
var imageName = regexp.MustCompile(`^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*` +
	`(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@[a-z0-9]+:[a-f0-9]+)?$`)

// Scripts is a Runtime that simulates containers according to scripts. A container
// without a script succeeds at once with an empty log; a sidecar without one runs until
// it is stopped.
type Scripts struct {
	// Default, if set, is the script of containers that no rule matches.
	Default func(Spec) (Script, bool)

	mu      sync.Mutex
	rules   []*Rule
	chosen  map[types.UID]map[instanceKey]choice
	ran     map[Ran]struct{}
	live    map[*actor]struct{}
	images  map[string]bool // whether the name is valid
	closed  bool
	running sync.WaitGroup // of Script.Do
}

type instanceKey struct {
	container string
	restart   int
}

// NewScripts returns a Scripts without rules.
func NewScripts() *Scripts {
	return &Scripts{
		chosen: map[types.UID]map[instanceKey]choice{},
		ran:    map[Ran]struct{}{},
		live:   map[*actor]struct{}{},
		images: map[string]bool{},
	}
}

// On sets the scripts of the containers that match, and returns the rule. The first instance of a container
// of a Job uses the first script, the second one (a restart, or the same container in
// the Job's next pod) the second script, etc. The last script repeats. Rules added
// later take precedence.
func (s *Scripts) On(match Match, scripts ...Script) *Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(scripts) == 0 {
		scripts = []Script{{}}
	}
	r := &Rule{match: match, scripts: scripts, used: map[string]int{}}
	s.rules = append(s.rules, r)
	return r
}

// script returns the script of an instance; the choice is made once.
func (s *Scripts) script(spec Spec) choice {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := instanceKey{spec.Container.Name, spec.Restart}
	if chosen, ok := s.chosen[spec.Pod.UID][key]; ok {
		return chosen
	}
	chosen := s.choose(spec)
	if s.chosen[spec.Pod.UID] == nil {
		s.chosen[spec.Pod.UID] = map[instanceKey]choice{}
	}
	s.chosen[spec.Pod.UID][key] = chosen
	return chosen
}

func (s *Scripts) choose(spec Spec) choice {
	for i := len(s.rules) - 1; i >= 0; i-- {
		r := s.rules[i]
		if !r.match.matches(spec) {
			continue
		}
		for _, earlier := range s.rules[:i] {
			if !earlier.hidden.Load() && earlier.match.matches(spec) {
				earlier.hidden.Store(true)
			}
		}
		owner := spec.Pod.Labels[batchv1.JobNameLabel]
		if owner == "" {
			owner = spec.Pod.Name
		}
		key := spec.Pod.Namespace + "/" + owner + "/" + spec.Pod.Annotations[batchv1.JobCompletionIndexAnnotation] + "/" + spec.Container.Name
		n := r.used[key]
		r.used[key] = n + 1
		return choice{r.scripts[min(n, len(r.scripts)-1)], r}
	}
	if s.Default != nil {
		if script, ok := s.Default(spec); ok {
			return choice{Script: script}
		}
	}
	if spec.Role == RoleSidecar {
		return choice{Script: Script{Run: Forever, TermCode: ExitKilled}}
	}
	return choice{}
}

// Unschedulable implements Delayer.
func (s *Scripts) Unschedulable(pod *corev1.Pod, age time.Duration) (time.Duration, string) {
	var wait time.Duration
	var message string
	Each(pod, func(c *corev1.Container, role Role) {
		script := s.script(Spec{Pod: pod, Container: c, Role: role})
		if left := script.Unschedulable - age; wait > 0 || script.Unschedulable == 0 || left <= 0 {
			return
		}
		s.mark(pod, c, script)
		wait, message = script.Unschedulable-age, script.UnschedulableMessage
		if message == "" {
			message = "0/1 nodes are available: 1 Insufficient cpu."
		}
	})
	return wait, message
}

// Mount implements Runtime: every volume is there.
func (*Scripts) Mount(*corev1.Pod, []Volume) error { return nil }

// Pull implements Runtime.
func (s *Scripts) Pull(spec Spec, age time.Duration) Pull {
	script := s.script(spec)
	s.mark(spec.Pod, spec.Container, script)
	if script.PullError != "" {
		lasts := script.PullErrorFor
		if lasts == 0 {
			lasts = Forever
		}
		if age < lasts {
			return failingPull(script.Script, spec.Container.Image, age, lasts)
		}
		age -= lasts
	}
	if image := spec.Container.Image; !s.validImage(image) {
		return Pull{Wait: Forever, Reason: "InvalidImageName", Message: fmt.Sprintf(
			"Failed to apply default image tag %q: couldn't parse image name %q: invalid reference format", image, image)}
	}
	if left := script.PullTime - age; left > 0 {
		return Pull{Wait: left}
	}
	return Pull{Done: true}
}

// validImage caches its results: many containers run few images.
func (s *Scripts) validImage(image string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	valid, known := s.images[image]
	if !known {
		valid = imageName.MatchString(image)
		s.images[image] = valid
	}
	return valid
}

// failingPull returns the state of a pull that fails. For the reason ErrImagePull, that
// is ErrImagePull for a second at each attempt, and ImagePullBackOff in between.
func failingPull(script Script, image string, age, lasts time.Duration) Pull {
	message := script.PullMessage
	if script.PullError != "ErrImagePull" && script.PullError != "ImagePullBackOff" {
		return Pull{Wait: lasts - age, Reason: script.PullError, Message: message}
	}
	if message == "" {
		message = fmt.Sprintf("failed to pull and unpack image %q: not found", image)
	}
	tried, delay := time.Duration(0), pullBackoff
	for {
		if age < tried+time.Second {
			return Pull{Wait: min(tried+time.Second, lasts) - age, Reason: "ErrImagePull", Message: message}
		}
		if age < tried+delay {
			return Pull{
				Wait:    min(tried+delay, lasts) - age,
				Reason:  "ImagePullBackOff",
				Message: fmt.Sprintf("Back-off pulling image %q: ErrImagePull: %s", image, message),
			}
		}
		tried, delay = tried+delay, min(2*delay, pullBackoffMax)
	}
}

// Start implements Runtime.
func (s *Scripts) Start(spec Spec, exited func(Exit)) (Process, error) {
	script := s.script(spec)
	if script.StartError != "" {
		return nil, &StartError{Message: script.StartError}
	}
	a := &actor{scripts: s, script: script.Script, log: spec.Log, exited: exited}
	if !s.enter(a, spec) {
		return nil, &StartError{Message: "the cluster is stopping"}
	}
	if script.Do == nil {
		a.begin()
	}
	return a, nil
}

// enter registers a, unless Scripts is closed, and starts its function if it
// has one.
func (s *Scripts) enter(a *actor, spec Spec) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.live[a] = struct{}{}
	if do := a.script.Do; do != nil {
		ctx, cancel := context.WithCancel(context.Background())
		a.cancel = cancel
		s.running.Go(func() {
			defer cancel()
			a.finish(do(ctx, spec))
		})
	}
	return true
}

// Forget implements Runtime.
func (s *Scripts) Forget(pod types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.chosen, pod)
}

// Close implements Runtime.
func (s *Scripts) Close() {
	s.mu.Lock()
	s.closed = true
	live := make([]*actor, 0, len(s.live))
	for a := range s.live {
		live = append(live, a)
	}
	s.mu.Unlock()
	for _, a := range live {
		a.Stop(0)
	}
	s.running.Wait()
}

func (s *Scripts) leave(a *actor) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, a)
}

func itoa(n int) string { return strconv.Itoa(n) }
