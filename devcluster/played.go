package devcluster

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/fakecluster/containers"
	"github.com/kontinue/kontinue/internal/identity"
)

// played is a play of one container that was given to a cluster.
type played struct {
	name     string
	rule     *containers.Rule
	optional bool
}

// Play adds plays to the cluster. If several match a container, the last one added
// is used. Each restart of a container, and each start in another pod of the Job,
// advances to the script after the next [Play.Then].
//
// It returns an error, and adds none, if the containers of the cluster are not [Scripts] or
// a play is invalid.
func (c *Cluster) Play(plays ...*Play) error {
	if !c.scripts {
		return fmt.Errorf("devcluster: play: the containers of this cluster are %q: want a cluster with Containers %q", Processes, Scripts)
	}
	for _, p := range plays {
		if err := p.check(); err != nil {
			return fmt.Errorf("devcluster: play: %w", err)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range plays {
		for i, part := range p.parts {
			if i == 0 && !part.touched && len(p.parts) > 1 {
				continue // the play is for another container only
			}
			match := containers.Match{Step: p.step, Container: part.container, Where: c.where(p)}
			c.plays = append(c.plays, played{p.name(part), c.memory.On(match, part.scripts...), p.optional})
		}
	}
	return nil
}

// check returns what is wrong with the play.
func (p *Play) check() error {
	switch {
	case p == nil || len(p.parts) == 0:
		return errors.New("it was not made by Job")
	case p.attempt != nil && *p.attempt < 0:
		return fmt.Errorf("%s: the first attempt is 0", p.name(p.parts[0]))
	case p.retry != nil && *p.retry < 0:
		return fmt.Errorf("%s: the first Job of a step is 0", p.name(p.parts[0]))
	}
	return nil
}

// name returns the calls by which a part of the play was made.
func (p *Play) name(part *part) string {
	name := fmt.Sprintf("Job(%q)", p.step)
	if p.attempt != nil {
		name += fmt.Sprintf(".Attempt(%d)", *p.attempt)
	}
	if p.retry != nil {
		name += fmt.Sprintf(".Retry(%d)", *p.retry)
	}
	if part.container != "" {
		name += fmt.Sprintf(".Container(%q)", part.container)
	}
	return name
}

// where returns the play's conditions on the Job of a container; nil if there are none.
func (c *Cluster) where(p *Play) func(containers.Spec) bool {
	if p.attempt == nil && p.retry == nil {
		return nil
	}
	attempt, retry := p.attempt, p.retry
	return func(spec containers.Spec) bool {
		if attempt != nil && spec.Pod.Annotations[identity.AnnotationAttempt] != strconv.Itoa(*attempt) {
			return false
		}
		return retry == nil || c.ledger.retry(types.UID(spec.Pod.Labels[batchv1.ControllerUidLabel])) == *retry
	}
}

// CheckPlays returns an error that names the plays which no container has followed so far,
// but for those with [Play.Optional], and the containers that ran. Such a play most often
// has the name of a step or container misspelt.
func (c *Cluster) CheckPlays() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var unused []string
	for _, p := range c.plays {
		switch {
		case p.optional || p.rule.Ran():
		case p.rule.Hidden():
			unused = append(unused, p.name+" (a play that was added later took its containers)")
		default:
			unused = append(unused, p.name)
		}
	}
	if len(unused) == 0 {
		return nil
	}
	return fmt.Errorf("devcluster: no container has followed the play %s; %s. Correct the name or the order, or allow it with Optional",
		strings.Join(unused, ", "), c.ran())
}

// named bounds the containers in a message.
const named = 20

// ran says which containers ran.
func (c *Cluster) ran() string {
	var names []string
	for _, r := range c.memory.Ran() {
		if len(names) == named {
			names = append(names, "others")
			break
		}
		names = append(names, fmt.Sprintf("%q of step %q", r.Container, r.Step))
	}
	if len(names) == 0 {
		return "no container ran"
	}
	return "these ran: " + strings.Join(names, ", ")
}
