package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/kontinue/kontinue"
)

// report prints how the run ended and, if it had ended before this call, the end of its
// log.
func (s *session) report(ktx *kontinue.ExecutionContext, result *kontinue.PodResult) {
	d := s.display
	recorded := result.LogReport == nil
	switch {
	case recorded:
		s.printTail(ktx, result)
	case !result.LogReport.Complete:
		d.sayf("the log may not be complete: %v", incomplete(result.LogReport))
	}
	when := ""
	if ended := result.Times.Ended; recorded && !ended.IsZero() {
		when = " at " + ended.UTC().Format("2006-01-02 15:04:05Z")
	}
	err := result.Err()
	if err == nil {
		d.sayf("succeeded%s", when)
		return
	}
	var exit *kontinue.ExitError
	advice := ""
	if errors.As(err, &exit) && exit.Advice != "" {
		advice = " (" + strings.TrimSuffix(exit.Advice, ".") + ")"
	}
	d.sayf("failed%s: %v%s", when, err, advice)
	if recorded && !s.retry {
		d.sayf("this is the recorded result; --retry runs it again")
	}
}

// printTail prints the end of the log of a run that has ended before.
func (s *session) printTail(ktx *kontinue.ExecutionContext, result *kontinue.PodResult) {
	if s.tail == 0 {
		return
	}
	options := &kontinue.LogOptions{TailLines: s.tail}
	if s.tail < 0 {
		options = &kontinue.LogOptions{All: true}
	}
	text, err := result.Logs(ktx, options)
	if err != nil {
		s.display.sayf("the log cannot be read: %v", err)
		return
	}
	_, _ = s.display.Write([]byte(text)) // stdout may be closed; the result counts
}

// incomplete says what is missing in the log.
func incomplete(r *kontinue.LogReport) error {
	if r.Err != nil {
		return r.Err
	}
	return fmt.Errorf("%d gaps", len(r.Gaps))
}

// exitCode returns the exit code of the container that failed, 125 for a failure without
// one, and 0 for a success.
func exitCode(result *kontinue.PodResult) int {
	err := result.Err()
	if err == nil {
		return 0
	}
	var exit *kontinue.ExitError
	if errors.As(err, &exit) && exit.ExitCode > 0 {
		return int(exit.ExitCode)
	}
	return exitFailed
}
