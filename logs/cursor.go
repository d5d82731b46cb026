package logs

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// overlap is how far before the newest delivered line a log is opened again. A
// container's stdout and stderr are stamped by two writers, so lines stand in
// the log slightly out of order; and sinceTime has whole seconds.
const overlap = time.Second

// line is a log line as the cursor sees it.
type line struct {
	at   time.Time // the kubelet's stamp, or that of the line before
	hash uint64    // of stamp and text, whole
}

// cursor remembers which lines of a log were delivered, in constant memory, and
// drops them when the log is opened again.
//
// The server filters by each line's own stamp, so reading again from the same
// second yields the same lines in the same order: as many as were delivered,
// then the new ones. The cursor therefore counts delivered lines per second and
// adds up their hashes; on the way back it drops that many and compares sums.
// Equal stamps, bursts and slight disorder do not matter.
//
// If the lines do not come back as they were (the kubelet has rotated the file,
// or the container was started again) it falls back to the stamps: lines not
// newer than the newest delivered one are dropped, and a gap is reported.
type cursor struct {
	newest  time.Time
	seconds map[int64]tally

	// While dropping: what has come back so far, and what must.
	dropping  bool
	got       tally
	want      tally
	firstHash uint64
	cameBack  map[int64]tally
}

// tally is a number of lines and the sum of their hashes.
type tally struct {
	lines int
	sum   uint64
}

func (t tally) plus(hash uint64) tally { return tally{t.lines + 1, t.sum + hash} }

// since returns the sinceTime to open the log with, nil for the beginning.
func (c *cursor) since() *metav1.Time {
	if c.newest.IsZero() {
		return nil
	}
	return &metav1.Time{Time: c.newest.Add(-overlap).Truncate(time.Second)}
}

// reopen prepares for a stream that starts at since.
func (c *cursor) reopen() {
	c.got, c.want, c.firstHash, c.cameBack = tally{}, tally{}, 0, map[int64]tally{}
	c.prune()
	for _, t := range c.seconds {
		c.want.lines += t.lines
		c.want.sum += t.sum
	}
	c.dropping = c.want.lines > 0
}

// accept takes the next line of a stream and says whether it is to be
// delivered, and whether lines may be missing before it.
func (c *cursor) accept(l line) (deliver, gap bool) {
	if !c.dropping {
		c.deliver(l)
		return true, false
	}
	if since := c.since(); since != nil && l.at.Before(since.Time) {
		return false, false // from a server that does not filter
	}
	if l.at.After(c.newest) {
		// What comes back cannot be newer than what was delivered.
		c.giveUp()
		c.deliver(l)
		return true, true
	}
	if c.got.lines == 0 {
		c.firstHash = l.hash
	}
	c.got = c.got.plus(l.hash)
	second := l.at.Unix()
	c.cameBack[second] = c.cameBack[second].plus(l.hash)
	// One line too many, at the start, is the end of a long line that began
	// before since: the kubelet stamps the pieces of a long line one by one.
	piece := tally{c.want.lines + 1, c.want.sum + c.firstHash}
	if c.got == c.want || c.got == piece {
		c.dropping = false
	}
	return false, false
}

// end closes a stream that was read to the log's true end, and says whether
// delivered lines did not come back, so that others may be missing too.
func (c *cursor) end() (gap bool) {
	if !c.dropping {
		return false
	}
	c.giveUp()
	return true
}

// giveUp ends dropping; the next opening is measured by what this one showed.
func (c *cursor) giveUp() {
	c.dropping = false
	c.seconds = c.cameBack
}

func (c *cursor) deliver(l line) {
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

// prune forgets the seconds that will not be read again.
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
