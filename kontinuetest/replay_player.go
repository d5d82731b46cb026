package kontinuetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/kontinue/kontinue/internal/apicall"
	"github.com/kontinue/kontinue/internal/flight"
	"github.com/kontinue/kontinue/internal/step"
)

// replayPatience is how much later than a request its recorded answer may have come: the library
// gives a request up after that time.
const replayPatience = apicall.Timeout + time.Second

// unanswered is how long a request takes that the recording has no answer to. Without it, a
// client that sends it over and over would stop the time.
const unanswered = 100 * time.Millisecond

// player answers the requests of one client from a recording. It is a clientset, of which
// it has what the library calls.
type player struct {
	kubernetes.Interface // nil

	differf func(format string, args ...any)
	index   *clientIndex
	client  *flight.Client
	begun   time.Time // when the recording began, in virtual time
	engine  *step.Engine

	mu      sync.Mutex
	asked   map[string]int           // by request: how often it was sent
	lacked  map[string]bool          // likewise: it was noted as a difference
	failed  map[string]*flight.Error // likewise: how the last list or watch was answered, if it failed
	played  map[string]int           // by request: how many answers were played
	answers map[answerKey]*recordedAnswer
	streams map[int]*stream    // by watch
	newest  map[string]*stream // by request
	known   objects
}

type answerKey struct {
	request string
	number  int
}

// recordedAnswer is one that was asked for or played, and not both.
type recordedAnswer struct {
	played chan struct{}
	line   *flight.Line
	stream *stream // of a watch
	left   bool    // the request was given up
}

func newPlayer(index *clientIndex, client *flight.Client, differf func(string, ...any)) *player {
	return &player{
		differf: differf, index: index, client: client, begun: time.Now(),
		asked: map[string]int{}, lacked: map[string]bool{}, failed: map[string]*flight.Error{}, played: map[string]int{}, answers: map[answerKey]*recordedAnswer{},
		streams: map[int]*stream{}, newest: map[string]*stream{}, known: objects{},
	}
}

// now is how much of the recording was played.
func (p *player) now() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Since(p.begun)
}

// delay has what follows played later.
func (p *player) delay(lag time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = p.begun.Add(lag)
}

// Attach implements [flight.Player].
func (p *player) Attach(engine *step.Engine) { p.engine = engine }

// play makes a line with an answer or an event available.
func (p *player) play(line *flight.Line) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch line.Kind {
	case flight.KindAnswer, flight.KindOpen:
		request := line.Request.Key()
		key := answerKey{request, p.played[request]}
		p.played[request]++
		a := p.answer(key)
		a.line = line
		if line.Kind == flight.KindOpen && line.Error == nil {
			a.stream = newStream(line.Request.Resource)
			p.streams[line.Watch], p.newest[request] = a.stream, a.stream
		}
		close(a.played)
		if a.left {
			delete(p.answers, key)
		}
		return p.known.answer(line)
	case flight.KindEvent:
		event := watch.Event{Type: watch.EventType(line.Event)}
		s := p.stream(line.Watch)
		object, err := decodeEvent(s.resource, line)
		if err != nil {
			return err
		}
		event.Object = object
		p.known.event(event)
		s.add(event)
	case flight.KindClose:
		p.stream(line.Watch).close()
		delete(p.streams, line.Watch)
	}
	return nil
}

// answer returns the place of an answer. The caller holds the lock.
func (p *player) answer(key answerKey) *recordedAnswer {
	a := p.answers[key]
	if a == nil {
		a = &recordedAnswer{played: make(chan struct{})}
		p.answers[key] = a
	}
	return a
}

// stream returns that of a watch. The caller holds the lock.
func (p *player) stream(id int) *stream {
	s := p.streams[id]
	if s == nil { // the line that opened it is lost
		s = newStream("")
		p.streams[id] = s
	}
	return s
}

// ask returns the recorded answer to a request, when it came. It is nil if there is none.
func (p *player) ask(ctx context.Context, q flight.Request) (*recordedAnswer, error) {
	request := q.Key()
	p.mu.Lock()
	now, times := time.Since(p.begun), p.index.answers[request]
	number := p.next(q, now)
	if number >= len(times) || times[number]-now > replayPatience {
		note := now < p.index.last && !p.lacked[request]
		p.lacked[request] = p.lacked[request] || note
		failed := p.failed[request]
		p.mu.Unlock()
		if note {
			p.differf("%s after %s: the recording has no such request%s", strings.TrimSpace(request), now, nextOf(times, number))
		}
		took := time.NewTimer(unanswered)
		defer took.Stop()
		select {
		case <-took.C:
			return nil, failure(ctx, failed) // as long as it fails, there is nothing to show
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	p.asked[request] = number + 1
	key := answerKey{request, number}
	a := p.answer(key)
	p.mu.Unlock()
	select {
	case <-a.played:
	case <-ctx.Done():
		p.mu.Lock()
		defer p.mu.Unlock()
		a.left = true
		return nil, ctx.Err()
	}
	p.mu.Lock()
	delete(p.answers, key)
	if e := a.line.Error; q.Verb == "list" || q.Verb == "watch" {
		p.failed[request] = e
		if e != nil && (e.Canceled || e.Deadline) {
			p.failed[request] = nil
		}
	}
	p.mu.Unlock()
	return a, failure(ctx, a.line.Error)
}

// next returns the number of the answer to a request: the next one or, if a read was not
// needed when it was recorded, the one that came nearest. The caller holds the lock.
func (p *player) next(q flight.Request, now time.Duration) int {
	request := q.Key()
	number, times := p.asked[request], p.index.answers[request]
	if q.Verb != "get" && q.Verb != "list" {
		return number
	}
	for number < p.played[request] && number+1 < len(times) && (times[number+1]-now).Abs() <= (now-times[number]).Abs() {
		delete(p.answers, answerKey{request, number})
		number++
	}
	return number
}

// nextOf says when the next such request was answered.
func nextOf(times []time.Duration, number int) string {
	if number >= len(times) {
		return fmt.Sprintf(" then, and %d before", number)
	}
	return fmt.Sprintf(" then: the next one was answered after %s", times[number])
}

// failure returns a recorded error.
func failure(ctx context.Context, e *flight.Error) error {
	switch {
	case e == nil:
		return nil
	case e.Status != nil:
		return &apierrors.StatusError{ErrStatus: *e.Status}
	case e.Canceled || e.Deadline:
		// The context of the request has ended, so that this one's is about to.
		late := time.NewTimer(time.Second)
		defer late.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-late.C:
		}
	}
	return errors.New(e.Text)
}

// watch returns the events of the next recorded watch of the same objects.
func (p *player) watch(ctx context.Context, q flight.Request) (watch.Interface, error) {
	a, err := p.ask(ctx, q)
	switch {
	case err != nil:
		return nil, err
	case a != nil:
		return a.stream.watch(), nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.newest[q.Key()] // what the recording has shown since the last one was closed
	if s == nil || s.over() {
		s = newStream(q.Resource)
	}
	return s.watch(), nil
}
