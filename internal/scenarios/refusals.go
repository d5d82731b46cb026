package scenarios

import (
	"strings"

	"github.com/kontinue/kontinue"
)

// refusals returns scenarios with valid and invalid step names. The library rejects
// invalid ones before it sends a request.
func refusals() []*Scenario {
	named := func(scenario, shows, name string, text ...string) *Scenario {
		s := &Scenario{
			Name: scenario, Shows: shows, Pod: podOf("true"), Play: playHang("main"),
			Want: Want{Err: kontinue.ErrInvalid, ErrText: text},
		}
		s.Pod.Name = name
		return s
	}
	longest := strings.Repeat("n", 63)
	allowed := &Scenario{
		Name: "name-of-63-characters", Shows: "a step name of 63 characters is used",
		Pod: podOf("true"), Want: podSucceeds(),
	}
	allowed.Pod.Name = longest
	return []*Scenario{
		allowed,
		named("name-of-64-characters", "a step name of 64 characters is refused", longest+"n", "63"),
		named("name-in-unicode", "a step name with letters beyond ASCII is refused", "prüfen", "prüfen"),
		named("name-reserved", "a step name of the form that unnamed steps have is refused", "step-1", "reserved"),
	}
}
