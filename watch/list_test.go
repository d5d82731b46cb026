package watch_test

import (
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
)

// TestListAfterAnOutage: the handler sees which objects are gone, replaced or changed, on
// any page, and unchanged objects stay.
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
		calls := r.take()
		for _, want := range []string{"job deleted job-1/uid-1", "job deleted job-2/uid-2", "job job-2/another", "job job-4/uid-4"} {
			require.Contains(t, calls, want)
		}
		require.NotContains(t, calls, "job deleted job-4/uid-4")
		_, ok := w.Job("ns", "job-1")
		require.False(t, ok)
		for _, want := range there {
			got, ok := w.Job("ns", want.Name)
			require.True(t, ok, want.Name)
			require.Equal(t, [2]string{string(want.UID), want.ResourceVersion}, [2]string{string(got.UID), got.ResourceVersion})
		}
	})
}
