package listwatch

import "time"

// Activity is what the watches of a ListerWatcher have done.
type Activity struct {
	// Open reports whether a watch is open, as far as it is known.
	Open bool
	// Opened is how many watches were opened.
	Opened int
	// Heard is when data came last, an event or a bookmark. It is zero if that is not known,
	// as of a fake clientset that sends no bookmarks.
	Heard time.Time
}

// Activity returns what the watches have done.
func (l *ListerWatcher) Activity() Activity {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := Activity{Opened: l.opens}
	if l.stream != nil {
		a.Open, a.Heard = l.stream.activity()
	}
	return a
}

func (s *stream) activity() (open bool, heard time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended.IsZero(), s.heard
}
