package step

import "time"

// alarm is when a wait has something to do. The zero value is not set.
type alarm struct{ at time.Time }

// after sets the alarm.
func (a *alarm) after(d time.Duration) { a.at = time.Now().Add(d) }

func (a *alarm) clear() { a.at = time.Time{} }

func (a *alarm) set() bool { return !a.at.IsZero() }

// due reports whether the time of an alarm that is set has come, and clears it then. A
// later time goes to next, unless that is earlier.
func (a *alarm) due(now time.Time, next *time.Time) bool {
	switch {
	case !a.set():
		return false
	case !a.at.After(now):
		a.clear()
		return true
	}
	if next.IsZero() || a.at.Before(*next) {
		*next = a.at
	}
	return false
}
