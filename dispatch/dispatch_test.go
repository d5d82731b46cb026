package dispatch_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kontinue/kontinue/dispatch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collect registers a future that keeps every event and wakes on each.
func collect(t *testing.T, d *dispatch.Dispatcher[int]) (*dispatch.Future[int], *[]int) {
	t.Helper()
	var got []int
	f, err := d.Register(func(e int) bool {
		got = append(got, e)
		return true
	}, func() {})
	require.NoError(t, err)
	t.Cleanup(f.Cancel)
	return f, &got
}

func TestFutureSeesEventsOfItsUIDInOrder(t *testing.T) {
	t.Parallel()
	d := dispatch.New[int]()
	f, got := collect(t, d)
	d.Dispatch("a", 1)
	require.NoError(t, f.Bind("a"))
	d.Dispatch("a", 2)
	d.Dispatch("b", 3)
	d.Dispatch("a", 4)
	require.Equal(t, []int{2, 4}, *got)
	require.True(t, d.Waiting("a"))
	require.False(t, d.Waiting("b"))
	f.Cancel()
	d.Dispatch("a", 5)
	require.Equal(t, []int{2, 4}, *got)
	require.False(t, d.Waiting("a"))
}

func TestEveryFutureOfOneUIDGetsEveryEvent(t *testing.T) {
	t.Parallel()
	for drop := range 3 {
		t.Run(fmt.Sprintf("cancel number %d", drop), func(t *testing.T) {
			t.Parallel()
			d := dispatch.New[int]()
			var futures []*dispatch.Future[int]
			var events []*[]int
			for range 3 {
				f, got := collect(t, d)
				require.NoError(t, f.Bind("a"))
				futures, events = append(futures, f), append(events, got)
			}
			require.Equal(t, 3, d.Len())
			d.Dispatch("a", 1)
			futures[drop].Cancel()
			futures[drop].Cancel()
			require.Equal(t, 2, d.Len())
			d.Dispatch("a", 2)
			for i, got := range events {
				if i == drop {
					require.Equal(t, []int{1}, *got)
				} else {
					require.Equal(t, []int{1, 2}, *got)
				}
			}
		})
	}
}

func TestWakesWhenApplyAsksForIt(t *testing.T) {
	t.Parallel()
	d := dispatch.New[int]()
	sum, woken := 0, 0
	f, err := d.Register(func(e int) bool { sum += e; return e > 1 }, func() { woken++ })
	require.NoError(t, err)
	defer f.Cancel()
	require.NoError(t, f.Bind("a"))
	d.Dispatch("a", 1)
	require.Zero(t, woken, "apply returned false, but the waiter was woken")
	for range 1000 {
		d.Dispatch("a", 2)
	}
	require.Equal(t, 1000, woken)
	f.Do(func() { require.Equal(t, 2001, sum) })
}

func TestCloseEndsEveryFuture(t *testing.T) {
	t.Parallel()
	cause := errors.New("shutting down")
	for name, tc := range map[string]struct{ cause, want error }{
		"with a cause":    {cause, cause},
		"without a cause": {nil, dispatch.ErrClosed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := dispatch.New[int]()
			woken := 0
			register := func(uid types.UID) *dispatch.Future[int] {
				f, err := d.Register(func(int) bool { return false }, func() { woken++ })
				require.NoError(t, err)
				if uid != "" {
					require.NoError(t, f.Bind(uid))
				}
				t.Cleanup(f.Cancel)
				return f
			}
			bound, unbound := register("a"), register("")
			register("a")
			register("b")
			register("c").Cancel()
			require.NoError(t, bound.Err())
			d.Close(tc.cause)
			d.Close(errors.New("a second close changes nothing"))
			require.Equal(t, 3, woken, "each that is bound, once")
			require.ErrorIs(t, bound.Err(), tc.want)
			require.ErrorIs(t, unbound.Bind("b"), tc.want)
			_, err := d.Register(func(int) bool { return false }, func() {})
			require.ErrorIs(t, err, tc.want)
		})
	}
}

func TestSecondBindPanics(t *testing.T) {
	t.Parallel()
	f, _ := collect(t, dispatch.New[int]())
	require.NoError(t, f.Bind("a"))
	require.Panics(t, func() { _ = f.Bind("b") })
}

// TestModel checks the dispatcher against a plain map of sets, with random
// operations.
func TestModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		d := dispatch.New[int]()
		type waiter struct {
			future    *dispatch.Future[int]
			got, want []int
		}
		var waiting []*waiter
		model := map[types.UID]map[*waiter]bool{}
		for step := range 300 {
			uid := types.UID(fmt.Sprint(rnd.IntN(5)))
			switch rnd.IntN(4) {
			case 0:
				w := &waiter{}
				f, err := d.Register(func(e int) bool { w.got = append(w.got, e); return true }, func() {})
				require.NoError(t, err)
				require.NoError(t, f.Bind(uid))
				w.future = f
				waiting = append(waiting, w)
				if model[uid] == nil {
					model[uid] = map[*waiter]bool{}
				}
				model[uid][w] = true
			case 1:
				if len(waiting) > 0 {
					w := waiting[rnd.IntN(len(waiting))]
					w.future.Cancel()
					for _, set := range model {
						delete(set, w)
					}
				}
			default:
				d.Dispatch(uid, step)
				for w := range model[uid] {
					w.want = append(w.want, step)
				}
			}
			n := 0
			for _, set := range model {
				n += len(set)
			}
			require.Equal(t, n, d.Len(), "seed %d step %d", seed, step)
		}
		for _, w := range waiting {
			require.Equal(t, w.want, w.got, "seed %d", seed)
		}
	}
}

// TestNoEventIsLostAroundBind has writers that store an object before they
// dispatch its event, as an informer does, and waiters that bind and then read the
// store. Each waiter must see its event through one of the two.
func TestNoEventIsLostAroundBind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := dispatch.New[int]()
		var store sync.Map
		var saw atomic.Int64
		const waiters = 2000
		var wg sync.WaitGroup
		for i := range waiters {
			uid := types.UID(fmt.Sprint(i))
			wg.Go(func() {
				seen, woken := false, make(chan struct{}, 1)
				f, err := d.Register(func(int) bool { seen = true; return true }, func() { woken <- struct{}{} })
				if err != nil {
					return
				}
				defer f.Cancel()
				if f.Bind(uid) != nil {
					return
				}
				if _, ok := store.Load(uid); ok {
					f.Do(func() { seen = true })
				} else {
					<-woken
				}
				f.Do(func() {
					if seen {
						saw.Add(1)
					}
				})
			})
			wg.Go(func() {
				store.Store(uid, true)
				d.Dispatch(uid, 1)
			})
		}
		wg.Wait()
		require.EqualValues(t, waiters, saw.Load())
		require.Zero(t, d.Len())
	})
}
