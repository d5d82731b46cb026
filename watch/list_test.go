package watch_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
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
