package watch_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/kontinue/kontinue/internal/identity"
	"github.com/kontinue/kontinue/watch"
)

// paging is a clientset that lists Jobs two to a page, and all of them if no limit
// is asked for. Before each answer fail may refuse it.
func paging(n int, fail func(call int, o metav1.ListOptions) error) (client *fake.Clientset, asked *[]string) {
	client, asked = fake.NewClientset(), new([]string)
	client.PrependReactor("list", "jobs", func(a clienttesting.Action) (bool, k8sruntime.Object, error) {
		list, _ := a.(clienttesting.ListActionImpl)
		o := list.ListOptions
		*asked = append(*asked, fmt.Sprintf("%s|%s|%d", o.ResourceVersion, o.Continue, o.Limit))
		if err := fail(len(*asked), o); err != nil {
			return true, nil, err
		}
		first := 0
		_, _ = fmt.Sscanf(o.Continue, "from-%d", &first)
		page := &batchv1.JobList{ListMeta: metav1.ListMeta{ResourceVersion: "9"}}
		for i := first; i < n && (o.Limit == 0 || i < first+2); i++ {
			page.Items = append(page.Items, *job(fmt.Sprintf("job-%d", i), types.UID(fmt.Sprintf("uid-%d", i)), "1"))
		}
		if end := first + len(page.Items); end < n {
			page.Continue = fmt.Sprintf("from-%d", end)
		}
		return true, page, nil
	})
	return client, asked
}

// TestListInPages: all pages are read, of the newest state; one that fails in a way
// that may pass is asked for again, and the others are not; and when the state of
// the pages has gone a list without them takes their place.
func TestListInPages(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		fail func(call int, o metav1.ListOptions) error
		want []string
	}{
		"three pages": {
			func(int, metav1.ListOptions) error { return nil },
			[]string{"||500", "|from-2|500", "|from-4|500"},
		},
		"a page fails": {
			func(call int, _ metav1.ListOptions) error {
				if call == 2 {
					return apierrors.NewInternalError(context.DeadlineExceeded)
				}
				return nil
			},
			[]string{"||500", "|from-2|500", "|from-2|500", "|from-4|500"},
		},
		"the state has gone": {
			func(_ int, o metav1.ListOptions) error {
				if o.Continue == "from-4" {
					return apierrors.NewResourceExpired("the provided continue parameter is too old")
				}
				return nil
			},
			[]string{"||500", "|from-2|500", "|from-4|500", "||0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				client, asked := paging(5, tc.fail)
				w, r := start(t, client)
				require.Equal(t, tc.want, *asked)
				require.Len(t, r.take(), 5)
				for i := range 5 {
					got, ok := w.Job("ns", fmt.Sprintf("job-%d", i))
					require.True(t, ok)
					require.EqualValues(t, fmt.Sprintf("uid-%d", i), got.UID)
				}
				for _, a := range client.Actions() {
					if watched, ok := a.(clienttesting.WatchActionImpl); ok && a.GetResource().Resource == "jobs" {
						require.Equal(t, "9", watched.WatchRestrictions.ResourceVersion, "the watch begins where the list was")
					}
				}
			})
		})
	}
}

// TestListThatIsEmpty is the start of most workers.
func TestListThatIsEmpty(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		client, asked := paging(0, func(int, metav1.ListOptions) error { return nil })
		w := watch.New(watch.Config{Clientset: client, Namespace: "ns", Selector: identity.Selector("group"), Handler: &recorder{}})
		require.NoError(t, w.Start(t.Context()))
		require.Equal(t, []string{"||500"}, *asked)
		require.NoError(t, w.Stop(t.Context()))
	})
}

// TestListAfterAnOutage: what it shows to be gone, replaced or changed is told, on
// whatever page it is, and what did not change stays.
func TestListAfterAnOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var there []batchv1.Job
		for i := range 6 {
			there = append(there, *job(fmt.Sprintf("job-%d", i), types.UID(fmt.Sprintf("uid-%d", i)), "1"))
		}
		client := fake.NewClientset()
		client.PrependReactor("list", "jobs", func(a clienttesting.Action) (bool, k8sruntime.Object, error) {
			list, _ := a.(clienttesting.ListActionImpl)
			first := 0
			_, _ = fmt.Sscanf(list.ListOptions.Continue, "from-%d", &first)
			end := min(first+2, len(there))
			page := &batchv1.JobList{ListMeta: metav1.ListMeta{ResourceVersion: "9"}}
			for i := first; i < end; i++ {
				page.Items = append(page.Items, *there[i].DeepCopy())
			}
			if end < len(there) {
				page.Continue = fmt.Sprintf("from-%d", end)
			}
			return true, page, nil
		})
		stream := apiwatch.NewFake()
		var once sync.Once
		client.PrependWatchReactor("jobs", func(clienttesting.Action) (handled bool, w apiwatch.Interface, err error) {
			once.Do(func() { handled, w = true, stream })
			return handled, w, nil
		})
		w, r := start(t, client)
		require.Len(t, r.take(), 6)
		there[2].UID, there[4].ResourceVersion = "another", "2"
		there = append(there[:1:1], there[2:]...) // job-1 is gone, and the pages have moved
		stream.Error(&apierrors.NewResourceExpired("too old").ErrStatus)
		pass(time.Minute)
		synctest.Wait()
		told := r.take()
		for _, want := range []string{"job deleted job-1/uid-1", "job deleted job-2/uid-2", "job job-2/another", "job job-4/uid-4"} {
			require.Contains(t, told, want)
		}
		require.NotContains(t, told, "job deleted job-4/uid-4")
		_, ok := w.Job("ns", "job-1")
		require.False(t, ok)
		for _, want := range there {
			got, ok := w.Job("ns", want.Name)
			require.True(t, ok, want.Name)
			require.Equal(t, [2]string{string(want.UID), want.ResourceVersion}, [2]string{string(got.UID), got.ResourceVersion})
		}
	})
}
