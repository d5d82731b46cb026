package jobs

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/internal/apicall"
)

// errClosed is the error of a create after [Client.Close].
var errClosed = errors.New("client is closed")

// undecided are the creates of a [Client] of which it is not known whether they make a
// Job: those that are under way, and those whose answer was lost and that were
// sent less than [apicall.Timeout] ago: by then the API server has ended them.
type undecided struct {
	life     context.Context // of the requests
	end      context.CancelFunc
	requests sync.WaitGroup

	mu   sync.Mutex
	open map[types.UID]map[*fate]struct{} // by Execution
}

// fate is that of one Job that is to be created.
type fate struct {
	execution types.UID
	sending   int           // requests that are under way
	lost      *time.Timer   // set after an answer was lost, until the API server has ended the request
	done      chan struct{} // closed when it is decided
}

func newUndecided() *undecided {
	u := &undecided{open: map[types.UID]map[*fate]struct{}{}}
	u.life, u.end = context.WithCancel(context.Background())
	return u
}

// create sends a create. When ctx ends first it returns, and the request stays under
// way: the API server may have held it up in admission, and would carry it out all the
// same.
func (c *Client) create(ctx context.Context, f *fate, job *batchv1.Job) (*batchv1.Job, error) {
	if err := c.undecided.begin(f); err != nil {
		return nil, err
	}
	type answer struct {
		job *batchv1.Job
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		request, end := context.WithCancel(context.WithoutCancel(ctx))
		defer end()
		defer context.AfterFunc(c.undecided.life, end)()
		sent := time.Now()
		created, err := apicall.Bounded(request, func(ctx context.Context) (*batchv1.Job, error) {
			return c.clientset.BatchV1().Jobs(job.Namespace).Create(ctx, job, metav1.CreateOptions{})
		})
		c.undecided.answered(f, sent, err)
		answered <- answer{created, err}
	}()
	select {
	case a := <-answered:
		return a.job, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (u *undecided) begin(f *fate) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.life.Err() != nil {
		return errClosed
	}
	u.requests.Add(1)
	f.sending++
	if u.open[f.execution] == nil {
		u.open[f.execution] = map[*fate]struct{}{}
	}
	if _, ok := u.open[f.execution][f]; !ok {
		u.open[f.execution][f], f.done = struct{}{}, make(chan struct{})
	}
	return nil
}

func (u *undecided) answered(f *fate, sent time.Time, err error) {
	defer u.requests.Done()
	u.mu.Lock()
	defer u.mu.Unlock()
	f.sending--
	if err != nil && apiError("create", "", "", err).unknown() {
		f.forgetLost()
		f.lost = time.AfterFunc(apicall.Timeout-time.Since(sent), func() { u.settled(f) })
	}
	u.decide(f)
}

// settled takes in that it is known whether the Job exists, so that a lost answer no
// longer matters.
func (u *undecided) settled(f *fate) {
	u.mu.Lock()
	defer u.mu.Unlock()
	f.forgetLost()
	u.decide(f)
}

func (f *fate) forgetLost() {
	if f.lost != nil {
		f.lost.Stop()
		f.lost = nil
	}
}

// decide closes done if nothing is left that could create the Job. The caller holds
// the lock.
func (u *undecided) decide(f *fate) {
	if _, open := u.open[f.execution][f]; !open || f.sending > 0 || f.lost != nil {
		return
	}
	close(f.done)
	delete(u.open[f.execution], f)
	if len(u.open[f.execution]) == 0 {
		delete(u.open, f.execution)
	}
}

// Undecided are creates of which it is not known whether they make a Job.
type Undecided []<-chan struct{}

// Undecided returns those that this Client has sent for an Execution, also where the
// call that sent them has ended.
func (c *Client) Undecided(execution types.UID) (creates Undecided) {
	c.undecided.mu.Lock()
	defer c.undecided.mu.Unlock()
	for f := range c.undecided.open[execution] {
		creates = append(creates, f.done)
	}
	return creates
}

// Wait returns when all of them are decided: a list that is read then shows what they
// have made. The error says that ctx has ended first.
func (u Undecided) Wait(ctx context.Context) error {
	for i, done := range u {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("%d jobs may still be created by requests that are under way: %w", len(u)-i, context.Cause(ctx))
		}
	}
	return nil
}

// Close abandons the creates that are under way, and returns when their goroutines
// have ended or ctx has. Nothing is created after it.
func (c *Client) Close(ctx context.Context) error {
	c.undecided.mu.Lock()
	c.undecided.end()
	c.undecided.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		c.undecided.requests.Wait()
	}()
	select {
	case <-gone:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("creates are still under way: %w", context.Cause(ctx))
	}
}
