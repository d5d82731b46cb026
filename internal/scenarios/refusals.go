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
		Name: "name-of-63-characters", Shows: "a step name of 63 characters is accepted",
		Pod: podOf("true"), Want: podSucceeds(),
	}
	allowed.Pod.Name = longest
	return []*Scenario{
		allowed,
		named("name-of-64-characters", "a step name of 64 characters is rejected", longest+"n", "63"),
		named("name-in-unicode", "a step name with non-ASCII letters is rejected", "prüfen", "prüfen"),
		named("name-reserved", "a step name in the form of unnamed steps is rejected", "step-1", "reserved"),
	}
}
