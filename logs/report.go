package logs

import "time"

// Report describes what [Reader.Follow] has delivered and where lines may be
// missing.
type Report struct {
	// Complete reports whether every line that the container has written was delivered
	// exactly once: each of its runs has ended, the log of each was then read to the end,
	// and no gap was found. A client cannot detect lines that the kubelet rotated away
	// before Follow started, nor lines with the timestamps of a clock that was set back.
	Complete bool
	// Lines and Bytes count what was written.
	Lines, Bytes int64
	// Truncated counts the lines that were cut at [Reader.MaxLineBytes].
	Truncated int64
	// Reopened counts how often the log was reopened.
	Reopened int
	// Gaps lists the first 100 places where lines may be missing. The usual causes are
	// a rotated log file and a container that was restarted twice or removed.
	Gaps []Gap
}

// Gap is a part of a log in which lines may be missing.
type Gap struct {
	// After and Before are the kubelet's timestamps of the lines around the gap.
	// After is zero if no line was delivered before it, and Before if none was
	// delivered after it.
	After, Before time.Time
}

const maxGaps = 100

func (r *Report) addGap(g Gap) {
	if len(r.Gaps) < maxGaps {
		r.Gaps = append(r.Gaps, g)
	}
}
