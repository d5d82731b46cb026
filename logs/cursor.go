package logs

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// overlap is how far before the newest delivered line a log is reopened. Two
// writers stamp a container's stdout and stderr, so the lines of a log can be
// slightly out of order, and sinceTime has a resolution of one second.
const overlap = time.Second

// line is a log line as the cursor sees it.
type line struct {
	at   time.Time // the kubelet's timestamp, or that of the previous line
	hash uint64    // of the whole line, timestamp included
}

// cursor tracks in constant memory which lines of a log were delivered, and skips
// them after the log is reopened.
//
// The server filters by the timestamp of each line, so reading again from the same
// second returns the delivered lines, in the same order, followed by new ones. The
// cursor counts the delivered lines of each second and sums their hashes. After a
// reopen it skips that many lines and compares the sums. Equal timestamps, bursts
// and slight disorder do not matter.
//
// If other lines are returned, since the kubelet has rotated the file, the cursor falls
// back to timestamps: it drops lines that are not newer than the newest delivered one,
// and reports a gap unless the last line that it dropped is the last one delivered.
type cursor struct {
	newest  time.Time
	last    uint64    // hash of the last delivered line
	floor   time.Time // lines up to this time are of an earlier run of the container
	seconds map[int64]tally

	// Used while skipping: the lines read again so far, and those expected.
	skipping  bool
	got       tally
	want      tally
	firstHash uint64
	lastHash  uint64
	reread    map[int64]tally
}

// tally is a number of lines and the sum of their hashes.
type tally struct {
	lines int
	sum   uint64
}

func (t tally) plus(hash uint64) tally { return tally{t.lines + 1, t.sum + hash} }

// since returns the sinceTime to open the log with, or nil for its beginning.
func (c *cursor) since() *metav1.Time {
	if c.newest.IsZero() {
		return nil
	}
	return &metav1.Time{Time: c.newest.Add(-overlap).Truncate(time.Second)}
}

// nextRun prepares for the log of the container's next run, all lines of which are newer.
// The server may still return that of the run before, if the container was restarted a
// moment ago.
func (c *cursor) nextRun() { *c = cursor{newest: c.newest, floor: c.newest} }

// reopen prepares for a stream that starts at since.
func (c *cursor) reopen() {
	c.got, c.want, c.firstHash, c.lastHash, c.reread = tally{}, tally{}, 0, 0, map[int64]tally{}
	c.prune()
	for _, t := range c.seconds {
		c.want.lines += t.lines
		c.want.sum += t.sum
	}
	c.skipping = c.want.lines > 0
}

// accept processes the next line of a stream. It reports whether to deliver the
// line, and whether lines may be missing before it.
func (c *cursor) accept(l line) (deliver, gap bool) {
	if !c.floor.IsZero() && !l.at.After(c.floor) {
		return false, false
	}
	if !c.skipping {
		c.deliver(l)
		return true, false
	}
	if since := c.since(); since != nil && l.at.Before(since.Time) {
		return false, false // from a server that does not filter
	}
	if l.at.After(c.newest) {
		// No delivered line is newer than c.newest, so some were not returned.
		gap = c.giveUp()
		c.deliver(l)
		return true, gap
	}
	if c.got.lines == 0 {
		c.firstHash = l.hash
	}
	c.got, c.lastHash = c.got.plus(l.hash), l.hash
	second := l.at.Unix()
	c.reread[second] = c.reread[second].plus(l.hash)
	// One extra line at the start is the rest of a long line that began before
	// since: the kubelet stamps each piece of a long line.
	piece := tally{c.want.lines + 1, c.want.sum + c.firstHash}
	if c.got == c.want || c.got == piece {
		c.skipping = false
	}
	return false, false
}

// end is called when a stream has been read to the end of a complete log. It
// reports a gap if the last delivered line was not returned again, in which case other
// lines may be missing as well.
func (c *cursor) end() (gap bool) { return c.skipping && c.giveUp() }

// giveUp stops skipping, and reports a gap unless the stream has returned the last
// delivered line, which every new line follows. The next reopen expects the lines that
// this one returned.
func (c *cursor) giveUp() (gap bool) {
	gap = c.got.lines == 0 || c.lastHash != c.last
	c.skipping = false
	c.seconds = c.reread
	return gap
}

func (c *cursor) deliver(l line) {
	c.last = l.hash
	if l.at.After(c.newest) {
		c.newest = l.at
		c.prune()
	}
	if c.seconds == nil {
		c.seconds = map[int64]tally{}
	}
	if since := c.since(); since == nil || !l.at.Before(since.Time) {
		c.seconds[l.at.Unix()] = c.seconds[l.at.Unix()].plus(l.hash)
	}
}

// prune deletes the seconds that will not be read again.
func (c *cursor) prune() {
	since := c.since()
	if since == nil {
		return
	}
	for second := range c.seconds {
		if second < since.Unix() {
			delete(c.seconds, second)
		}
	}
}
