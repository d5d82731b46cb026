package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kontinue/kontinue"
)

// screen prints the progress of steps, which may run at the same time.
type screen struct {
	mu      sync.Mutex
	out     io.Writer
	shown   map[string]shown // the last line of each step
	waited  int              // steps that were waited for
	resumed int              // steps whose outcome was read from the record

	requests map[request]int
}

// request is a verb and a resource as in RBAC rules, such as get and pods/log.
type request struct{ verb, resource string }

// shown is the content of a step's line, except for the time.
type shown struct {
	state           kontinue.StepState
	reason, message string
	resumed         bool
}

// maxNote limits long messages, such as those of a registry, in bytes.
const maxNote = 160

func newScreen(out io.Writer) *screen {
	return &screen{out: out, shown: map[string]shown{}, requests: map[request]int{}}
}

func (s *screen) sayf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.printf(format, args...)
}

func (s *screen) printf(format string, args ...any) { fmt.Fprintf(s.out, format+"\n", args...) }

// progress is the client's OnProgress. It prints each change of a step's state
// and of the reason for it.
func (s *screen) progress(p kontinue.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := shown{p.State, p.Reason, p.Message, p.Resumed}
	if s.shown[p.Step] == now {
		return // only the pod has changed
	}
	s.shown[p.Step] = now

	notes := []string{p.Reason, p.Message}
	switch {
	case p.Resumed:
		notes = []string{"resumed, from the record on its Job"}
	case p.State == kontinue.StepRunning && p.Reason == "":
		notes = []string{"pod " + p.Pod}
	}
	notes = slices.DeleteFunc(notes, func(note string) bool { return note == "" })
	note := strings.Join(notes, ": ")
	if len(note) > maxNote {
		note = strings.ToValidUTF8(note[:maxNote], "") + "..."
	}
	line := fmt.Sprintf("   %6.2fs  %-7s %-10s %s", p.Elapsed.Round(10*time.Millisecond).Seconds(), p.Step, p.State, note)
	s.printf("%s", strings.TrimRight(line, " "))

	if p.State == kontinue.StepSucceeded || p.State == kontinue.StepFailed {
		if p.Resumed {
			s.resumed++
		} else {
			s.waited++
		}
	}
}

// request is the observer of the client's requests. A rejected watch does not count: the
// client sends another request instead.
func (s *screen) request(r kontinue.RequestInfo) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Verb != "watch" || r.Code == http.StatusOK {
		s.requests[request{r.Verb, r.Resource}]++
	}
}

// bill prints the number of requests of all steps together, once the client has stopped.
// It returns an error if there were more than expected.
func (s *screen) bill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	notes := map[request]string{
		{"create", "jobs"}:  "one for each step",
		{"list", "jobs"}:    "at the start, to fill the cache, and for the second run",
		{"list", "pods"}:    "at the start, to fill the cache",
		{"patch", "jobs"}:   "each step's outcome, recorded on its Job",
		{"watch", "jobs"}:   "for all waits",
		{"watch", "pods"}:   "for all waits",
		{"get", "pods/log"}: "the logs that were read",
	}
	s.printf("\nRequests to the API server in total:\n")
	byName := func(a, b request) int {
		return cmp.Or(strings.Compare(a.resource, b.resource), strings.Compare(a.verb, b.verb))
	}
	for _, r := range slices.SortedFunc(maps.Keys(s.requests), byName) {
		line := fmt.Sprintf("   %4d  %-6s %-9s %s", s.requests[r], r.verb, r.resource, notes[r])
		s.printf("%s", strings.TrimRight(line, " "))
	}

	jobs, pods := s.requests[request{"watch", "jobs"}], s.requests[request{"watch", "pods"}]
	if jobs != 1 || pods != 1 {
		return fmt.Errorf("%d watches of jobs and %d of pods served the waits, not 1 and 1: was the connection to the API server cut?", jobs, pods)
	}
	if created := s.requests[request{"create", "jobs"}]; created != s.waited {
		return fmt.Errorf("%d Jobs were created for %d steps", created, s.waited)
	}
	s.printf("\nOne watch of jobs and one watch of pods served all %d waits.", s.waited)
	return nil
}
